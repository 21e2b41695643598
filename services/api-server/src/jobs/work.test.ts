import type { BatchId } from '@factory/contracts';
import { createIdGenerator, silentLogger, systemRandom } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import { PlanningService } from '../planning/service.ts';
import { createMemoryStore } from '../store/memory/index.ts';
import { createWork } from './work.ts';

it('a duty that fails holds up no other', async () => {
  const clock = new VirtualClock();
  const newId = createIdGenerator(clock, systemRandom);
  const store = createMemoryStore();
  const done: string[] = [];
  const work = createWork({
    ...{ clock, logger: silentLogger },
    planning: new PlanningService({ store, clock, newId, logger: silentLogger }),
    duties: [
      { name: 'one that fails', sweep: () => Promise.reject(new Error('not now')) },
      { name: 'another', sweep: async () => void done.push('another') },
    ],
  });
  await work({ kind: 'sweep' });
  expect(done).toEqual(['another']);
  await work({ kind: 'planBatch', batchId: 'bat_1' as BatchId });
  expect(done).toEqual(['another']);
});
