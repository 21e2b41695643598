import { atTurnEnd, systemClock } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { slicedStream } from './sliced-stream.ts';

describe('a sliced stream', () => {
  it('gives all pieces in order, small ones together', async () => {
    const pieces = Array.from({ length: 3000 }, (_, n) => Buffer.from(`${n},`));
    const chunks: Buffer[] = [];
    for await (const chunk of slicedStream(pieces, new VirtualClock())) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe(Buffer.concat(pieces).toString());
    expect(chunks).toHaveLength(1);
  });

  it('lets others have their turn while it is being made', async () => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) atTurnEnd(count);
    };
    count();
    function* slowly(): Generator<Uint8Array> {
      const endMs = systemClock.monotonicMs() + 100;
      while (systemClock.monotonicMs() < endMs) yield Buffer.from('x');
    }
    for await (const _ of slicedStream(slowly(), systemClock));
    isOver = true;
    // One turn is before the stream begins.
    expect(turns).toBeGreaterThan(2);
  });

  it('makes nothing that nobody takes', async () => {
    let made = 0;
    function* endless(): Generator<Uint8Array> {
      for (;;) {
        made += 1;
        yield Buffer.alloc(64 * 1024);
      }
    }
    const stream = slicedStream(endless(), systemClock);
    stream.read(0);
    await new Promise<void>((resolve) => atTurnEnd(resolve));
    expect(made).toBeLessThan(10);
    stream.destroy();
  });
});
