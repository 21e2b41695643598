import { type Clock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MasterInfo } from '../protocol/index.ts';
import type { Candidacy, Contender, Detector } from './election.ts';

/** An election for one test. */
export interface ElectionWorld {
  readonly clock: Clock;
  /** A process that stands for election and watches. */
  join(): Promise<{ readonly contender: Contender; readonly detector: Detector }>;
  /** Ends a candidacy from outside. */
  end(candidacy: Candidacy): Promise<void>;
  cleanUp(): Promise<void>;
}

/** What a master says of itself. */
export function masterInfo(name: string): MasterInfo {
  const address = { hostname: name, ip: '10.0.0.1', port: 5050 };
  return { id: name, ip: 16_777_226, port: 5050, hostname: name, address };
}

/** What every election does, whatever it is made of. */
export function describeElection(name: string, create: () => Promise<ElectionWorld>): void {
  describe(name, () => {
    let world: ElectionWorld;
    const { signal } = new AbortController();

    beforeEach(async () => {
      world = await create();
    });

    afterEach(() => world.cleanUp());

    const leads = async (detector: Detector, id: string | undefined): Promise<void> => {
      await waitFor(world.clock, `${id} to lead`, 30_000, () =>
        detector.leader?.info.id === id ? true : undefined,
      );
    };

    it('has no leader while nobody stands', async () => {
      const { detector } = await world.join();
      const seen = Promise.withResolvers<unknown>();
      detector.watch(seen.resolve);
      expect(await seen.promise).toBeUndefined();
      expect(detector.leader).toBeUndefined();
    });

    it('makes the first who stands the leader, and the next when the first is gone', async () => {
      const [a, b] = [await world.join(), await world.join()];
      const first = await a.contender.contend(masterInfo('a'), signal);
      const second = await b.contender.contend(masterInfo('b'), signal);
      expect(first.id).not.toBe(second.id);
      for (const { detector } of [a, b]) await leads(detector, 'a');
      expect(b.detector.leader).toEqual({ id: first.id, info: masterInfo('a') });
      await world.end(first);
      expect(await first.lost).not.toBe('');
      await leads(b.detector, 'b');
      expect(b.detector.leader?.id).toBe(second.id);
    });

    it('goes on without a candidate that never led', async () => {
      const [a, b, c] = [await world.join(), await world.join(), await world.join()];
      await a.contender.contend(masterInfo('a'), signal);
      const second = await b.contender.contend(masterInfo('b'), signal);
      await c.contender.contend(masterInfo('c'), signal);
      await leads(c.detector, 'a');
      await world.end(second);
      await second.lost;
      expect(c.detector.leader?.info.id).toBe('a');
    });

    it('lets who lost stand again, behind the others', async () => {
      const [a, b] = [await world.join(), await world.join()];
      const first = await a.contender.contend(masterInfo('a'), signal);
      await b.contender.contend(masterInfo('b'), signal);
      await world.end(first);
      await first.lost;
      const again = await a.contender.contend(masterInfo('a'), signal);
      expect(again.id).not.toBe(first.id);
      for (const { detector } of [a, b]) await leads(detector, 'b');
    });

    it('tells each change of the leader once, to those who still watch', async () => {
      const { contender, detector } = await world.join();
      const [seen, seenBefore]: [string[], string[]] = [[], []];
      detector.watch((leader) => seen.push(leader?.info.id ?? 'nobody'));
      const stop = detector.watch((leader) => seenBefore.push(leader?.info.id ?? 'nobody'));
      await waitFor(world.clock, 'the first word', 30_000, () => seen[0]);
      stop();
      const candidacy = await contender.contend(masterInfo('a'), signal);
      await leads(detector, 'a');
      await world.end(candidacy);
      await leads(detector, undefined);
      expect(seen).toEqual(['nobody', 'a', 'nobody']);
      expect(seenBefore).toEqual(['nobody']);
    });
  });
}
