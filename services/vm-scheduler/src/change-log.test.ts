import { VirtualClock } from '@factory/runtime/simulated';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangeLog } from './change-log.ts';

/** A sequence of changes of a few ids, with growing revisions. */
const history = fc.array(
  fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), step: fc.integer({ min: 1, max: 3 }) }),
  { maxLength: 40 },
);

describe('a change log', () => {
  it('gives each id that changed after a revision once, by its newest change', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 60 }), (steps, from) => {
        const log = new ChangeLog(new VirtualClock());
        const newest = new Map<string, number>();
        let revision = 0;
        for (const { id, step } of steps) {
          revision += step;
          newest.delete(id);
          newest.set(id, revision);
          log.publish([{ id, revision }]);
        }
        const expected = [...newest].filter(([, at]) => at > from).map(([id]) => id);
        expect(log.after(from, 100).ids).toEqual(expected);
        expect(log.revision).toBe(revision);
      }),
    );
  });

  it('loses nothing when it is read in pages, whatever their size', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 3 }), (steps, limit) => {
        const log = new ChangeLog(new VirtualClock());
        let revision = 0;
        log.publish(
          steps.map(({ id, step }) => {
            revision += step;
            return { id, revision };
          }),
        );
        const seen: string[] = [];
        let cursor = 0;
        for (;;) {
          const { ids, next } = log.after(cursor, limit);
          if (next === cursor) break;
          seen.push(...ids);
          cursor = next;
        }
        expect(seen.toSorted()).toEqual([...new Set(steps.map(({ id }) => id))].toSorted());
        expect(cursor).toBe(revision);
      }),
    );
  });

  it('stays small when the same few ids change again and again', () => {
    const log = new ChangeLog(new VirtualClock());
    for (let revision = 1; revision <= 20_000; revision += 1) {
      log.publish([{ id: revision % 2 === 0 ? 'even' : 'odd', revision }]);
    }
    expect(log.after(0, 10)).toEqual({ ids: ['odd', 'even'], next: 20_000 });
    log.remove('odd');
    expect(log.after(0, 10).ids).toEqual(['even']);
  });

  it('wakes who waits at the next change, or when time is up', async () => {
    const clock = new VirtualClock();
    const log = new ChangeLog(clock);
    const startedMs = clock.monotonicMs();
    const woken: [string, number][] = [];
    const wait = (name: string, after: number, ms: number) =>
      log.wait(after, ms).then(() => woken.push([name, clock.monotonicMs() - startedMs]));
    const all = [wait('short', 0, 100), wait('long', 0, 10_000)];
    clock.after(500, () => log.publish([{ id: 'a', revision: 7 }]));
    await clock.run(20_000);
    await Promise.all(all);
    expect(woken).toEqual([
      ['short', 100],
      ['long', 500],
    ]);
    await log.wait(0, 10_000);
  });
});
