import { describe, expect, it } from 'vitest';
import { createBackoff, retryForever } from './backoff.ts';
import { silentLogger } from './log.ts';
import { VirtualClock } from './simulated/virtual-clock.ts';

const always = (value: number) => ({ next: () => value, bytes: () => new Uint8Array() });

describe('createBackoff', () => {
  it('doubles up to its ceiling, spreads over all of it, and starts over', () => {
    const backoff = createBackoff({ baseMs: 100, maxMs: 1000, random: always(0.5) });
    const waits = Array.from({ length: 6 }, () => backoff.nextMs());
    expect(waits).toEqual([50, 100, 200, 400, 500, 500]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(50);
    const low = createBackoff({ baseMs: 100, maxMs: 1000, random: always(0) });
    expect(low.nextMs()).toBe(0);
  });
});

describe('retryForever', () => {
  const setUp = () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const backoff = createBackoff({ baseMs: 100, maxMs: 1000, random: always(0.999) });
    const options = { what: 'x', clock, logger: silentLogger, backoff, signal: controller.signal };
    return { clock, controller, options };
  };

  it('tries until it works', async () => {
    const { clock, options } = setUp();
    let attempts = 0;
    const result = retryForever(options, async () => {
      attempts += 1;
      if (attempts < 4) throw new Error('not yet');
      return attempts;
    });
    await clock.run(699);
    expect(attempts).toBe(3);
    await clock.run(10);
    expect(await result).toBe(4);
  });

  it('ends when the signal aborts', async () => {
    const { clock, controller, options } = setUp();
    const result = retryForever(options, () => Promise.reject(new Error('never')));
    const ended = expect(result).rejects.toThrow('enough');
    await clock.run(5000);
    controller.abort(new Error('enough'));
    await ended;
  });
});
