import { atTurnEnd, type Clock, systemClock } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { Turns } from './turns.ts';

/** Time that passes only when work says that it has taken some. */
function manualClock(): Clock & { pass(ms: number): void } {
  let nowMs = 0;
  return {
    ...systemClock,
    monotonicMs: () => nowMs,
    pass: (ms) => {
      nowMs += ms;
    },
  };
}

const turnEnd = (): Promise<void> => new Promise((resolve) => atTurnEnd(resolve));

describe('work in turns', () => {
  it('is done at once while the turn has time', async () => {
    const turns = new Turns(manualClock());
    const done: number[] = [];
    const results = [1, 2, 3].map((number) => turns.run(async () => done.push(number)));
    expect(done).toEqual([1, 2, 3]);
    expect(await Promise.all(results)).toEqual([1, 2, 3]);
  });

  it('lets the event loop go on when it takes long, and keeps its order', async () => {
    const clock = manualClock();
    const turns = new Turns(clock);
    const log: string[] = [];
    const slow = (name: string) =>
      turns.run(async () => {
        clock.pass(3);
        log.push(name);
      });
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].map(slow);
    log.push('everything else');
    await turnEnd();
    log.push('a turn later');
    await Promise.all(all);
    expect(log).toEqual(['a', 'b', 'everything else', 'c', 'd', 'a turn later', 'e', 'f']);
  });

  it('does what comes while others wait after them', async () => {
    const clock = manualClock();
    const turns = new Turns(clock);
    const log: string[] = [];
    const work = (name: string, ms: number) =>
      turns.run(async () => {
        clock.pass(ms);
        log.push(name);
      });
    const all = [work('long', 20), work('second', 20)];
    await turnEnd();
    all.push(work('third', 0), work('fourth', 0));
    await Promise.all(all);
    expect(log).toEqual(['long', 'second', 'third', 'fourth']);
  });

  it('lets no more than a thousand wait: the oldest are done first', async () => {
    const clock = manualClock();
    const turns = new Turns(clock);
    const done: number[] = [];
    const work = (number: number) =>
      turns.run(async () => {
        clock.pass(10);
        done.push(number);
      });
    const all = Array.from({ length: 1_101 }, (_, number) => work(number));
    expect(done).toEqual(Array.from({ length: 101 }, (_, number) => number));
    await Promise.all(all);
    expect(done).toHaveLength(1_101);
  });

  it('gives the error of what failed to whoever asked for it, and goes on', async () => {
    const clock = manualClock();
    const turns = new Turns(clock);
    const long = turns.run(async () => clock.pass(20));
    const failing = turns.run(async () => {
      throw new Error('no such offer');
    });
    const next = turns.run(async () => 'done');
    await long;
    await expect(failing).rejects.toThrow('no such offer');
    expect(await next).toBe('done');
  });
});
