import { describe, expect, it } from 'vitest';
import {
  type Clock,
  DeadlineExceededError,
  sleep,
  systemClock,
  waitFor,
  withDeadline,
} from './clock.ts';
import { VirtualClock } from './simulated/virtual-clock.ts';

/** What every clock must do; `pass` lets its time pass. */
function describeClockContract(
  name: string,
  create: () => { clock: Clock; pass: (durationMs: number) => Promise<void> },
): void {
  describe(`${name} keeps the clock contract`, () => {
    it('calls back once, not before its time, in order', async () => {
      const { clock, pass } = create();
      const calls: string[] = [];
      const startMs = clock.monotonicMs();
      clock.after(40, () => calls.push('late'));
      clock.after(10, () => calls.push('early'));
      clock.after(0, () => calls.push('now'));
      expect(calls).toEqual([]);
      await pass(120);
      expect(calls).toEqual(['now', 'early', 'late']);
      expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(119);
    });

    it('never calls back at once, and not after cancelling', async () => {
      const { clock, pass } = create();
      let calls = 0;
      const timer = clock.after(10, () => {
        calls += 1;
      });
      timer.cancel();
      timer.cancel();
      clock.after(-5, () => {
        calls += 10;
      });
      expect(calls).toBe(0);
      await pass(60);
      expect(calls).toBe(10);
    });

    it('calls back a timer that a timer made', async () => {
      const { clock, pass } = create();
      let done = false;
      clock.after(5, () =>
        clock.after(5, () => {
          done = true;
        }),
      );
      await pass(80);
      expect(done).toBe(true);
    });

    it('waits for delays of more than 24.8 days, too', async () => {
      const { clock, pass } = create();
      let calls = 0;
      const timer = clock.after(2 ** 31 + 5, () => {
        calls += 1;
      });
      await pass(30);
      expect(calls).toBe(0);
      timer.cancel();
    });

    it('has a wall clock near its monotonic one', async () => {
      const { clock, pass } = create();
      const [wallMs, monotonicMs] = [clock.nowMs(), clock.monotonicMs()];
      await pass(50);
      const driftMs = clock.nowMs() - wallMs - (clock.monotonicMs() - monotonicMs);
      expect(Math.abs(driftMs)).toBeLessThan(20);
    });

    it('sleeps, and wakes with the reason of an abort', async () => {
      const { clock, pass } = create();
      const controller = new AbortController();
      const slept = sleep(clock, 20, controller.signal);
      const aborted = expect(sleep(clock, 60_000, controller.signal)).rejects.toThrow('enough');
      await pass(60);
      await slept;
      controller.abort(new Error('enough'));
      await aborted;
      await expect(sleep(clock, 1, controller.signal)).rejects.toThrow('enough');
    });

    it('bounds work by a deadline, and tells the work', async () => {
      const { clock, pass } = create();
      let told: unknown;
      const never = (signal: AbortSignal) =>
        new Promise<void>(() => {
          signal.addEventListener('abort', () => {
            told = signal.reason;
          });
        });
      const bounded = expect(withDeadline(clock, 'it', 20, never)).rejects.toThrow(
        'it did not finish within 20 ms',
      );
      await pass(60);
      await bounded;
      expect(told).toBeInstanceOf(DeadlineExceededError);
      expect(await withDeadline(clock, 'it', 20, async () => 'done')).toBe('done');
    });

    it('polls until there is something, or the time is up', async () => {
      const { clock, pass } = create();
      let polls = 0;
      const found = waitFor(clock, 'it', 1000, () => (++polls === 3 ? 'here' : undefined), 5);
      const missed = expect(waitFor(clock, 'it', 20, () => undefined, 5)).rejects.toThrow(
        DeadlineExceededError,
      );
      await pass(120);
      expect(await found).toBe('here');
      await missed;
    });
  });
}

describeClockContract('systemClock', () => ({
  clock: systemClock,
  pass: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
}));

describeClockContract('VirtualClock', () => {
  const clock = new VirtualClock();
  return { clock, pass: (durationMs) => clock.run(durationMs) };
});
