import { waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { TOOLS } from './factory.ts';
import { ROUGH, Run } from './scenario.ts';

const HOSTS = 3;

describe.each([1, 2, 3])('an image that is brought to hosts in advance (seed %i)', (seed) => {
  it('comes to those that have no machine and no executor yet, and machines are made there', async () => {
    const run = new Run({ seed, agents: HOSTS, faults: ROUGH, isWhole: true });
    const { factory } = run;
    await run.play(async () => {
      await factory.user.stage(TOOLS.name);
      await waitFor(run.clock, 'the image on all hosts', 300_000, () =>
        factory.hosts.every(({ images }) => images.has(TOOLS.version)) ? true : undefined,
      );
      expect(factory.hosts.flatMap(({ machine }) => [...machine.domains.keys()])).toEqual([]);
      const { id } = await run.createBatch('warm', HOSTS);
      await run.reach(id, { running: HOSTS });
      await run.deleteBatch(id, HOSTS);
    });
  });
});
