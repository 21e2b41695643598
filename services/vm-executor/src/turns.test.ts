import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { createTurns } from './turns.ts';

/** Work that ends when it is told to, and what has begun of it. */
function setUp(max: number) {
  const clock = new VirtualClock();
  const turns = createTurns({ max, longestMs: 1_000, clock });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const take = (name: string, signal = new AbortController().signal): Promise<string> =>
    turns(signal, (leave) => {
      begun.push(name);
      const { promise, resolve } = Promise.withResolvers<string>();
      ends.set(name, () => resolve(name));
      ends.set(`${name} leaves`, leave);
      return promise;
    });
  const tell = async (what: string): Promise<void> => {
    await clock.settle();
    ends.get(what)?.();
    await clock.settle();
  };
  return { clock, begun, take, tell };
}

describe('turns', () => {
  it('are taken in order of arrival, no more than so many at a time', async () => {
    const { clock, begun, take, tell } = setUp(2);
    const all = ['a', 'b', 'c', 'd'].map((name) => take(name));
    await clock.settle();
    expect(begun).toEqual(['a', 'b']);
    await tell('b');
    expect(begun).toEqual(['a', 'b', 'c']);
    for (const name of ['a', 'c', 'd']) await tell(name);
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('end when the work leaves, which goes on', async () => {
    const { begun, take, tell } = setUp(1);
    const first = take('a');
    const second = take('b');
    await tell('a leaves');
    expect(begun).toEqual(['a', 'b']);
    await tell('a');
    await tell('b');
    expect(await Promise.all([first, second])).toEqual(['a', 'b']);
  });

  it('end after a while, so that what hangs holds up nobody else', async () => {
    const { clock, begun, take, tell } = setUp(1);
    const hanging = take('hangs');
    void take('b');
    await clock.run(999);
    expect(begun).toEqual(['hangs']);
    await clock.run(1);
    expect(begun).toEqual(['hangs', 'b']);
    await tell('hangs');
    expect(await hanging).toBe('hangs');
  });

  it('that are given up while they are waited for are passed over', async () => {
    const { clock, begun, take, tell } = setUp(1);
    void take('a');
    const controller = new AbortController();
    const given = take('b', controller.signal);
    const refused = expect(given).rejects.toThrow('not wanted');
    void take('c');
    controller.abort(new Error('not wanted'));
    await refused;
    await clock.settle();
    await tell('a');
    expect(begun).toEqual(['a', 'c']);
  });

  it('that are given up leave their place to the next, though their work goes on', async () => {
    const { clock, begun, take } = setUp(1);
    const controller = new AbortController();
    void take('a', controller.signal);
    void take('b');
    await clock.settle();
    controller.abort(new Error('not wanted'));
    await clock.settle();
    expect(begun).toEqual(['a', 'b']);
  });
});
