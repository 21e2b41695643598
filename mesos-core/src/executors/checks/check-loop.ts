import {
  type Clock,
  DeadlineExceededError,
  type Limiter,
  type Timer,
  withDeadline,
} from '@factory/runtime';

import type { CheckSchedule, Probe, ProbeResult } from './check-definition.ts';

/** Looks at a task: the I/O of checks. Resolves with `failed` rather than rejecting. */
export type Prober = (probe: Probe, signal: AbortSignal) => Promise<ProbeResult>;

/** What {@link startCheckLoop} needs. */
export interface CheckLoopOptions {
  readonly clock: Clock;
  readonly probe: Probe;
  readonly schedule: CheckSchedule;
  readonly prober: Prober;
  /** Shared by all checks of an agent, so that a thousand tasks don't make a storm of looks. */
  readonly limiter: Limiter;
  readonly onResult: (result: ProbeResult) => void;
}

/** A check under way. */
export interface CheckLoop {
  stop(): void;
}

/**
 * Looks again and again, one look at a time: first after the delay, then an interval after the last
 * look ended. Waiting for a turn does not count against the timeout of a look.
 */
export function startCheckLoop(options: CheckLoopOptions): CheckLoop {
  const { clock, schedule, limiter, onResult } = options;
  const stopping = new AbortController();
  let timer: Timer | undefined;
  const look = async (): Promise<void> => {
    const result = await limiter(async () =>
      stopping.signal.aborted ? undefined : await lookOnce(options, stopping.signal),
    );
    if (result === undefined || stopping.signal.aborted) return;
    onResult(result);
    // onResult may have stopped this loop: that is for the compiler to forget and us to know.
    if (!stopping.signal.aborted) lookAfter(schedule.intervalMs);
  };
  const lookAfter = (delayMs: number): void => {
    timer = clock.after(delayMs, () => void look());
  };
  lookAfter(schedule.delayMs);
  return {
    stop() {
      timer?.cancel();
      stopping.abort();
    },
  };
}

async function lookOnce(options: CheckLoopOptions, stop: AbortSignal): Promise<ProbeResult> {
  const { clock, probe, schedule, prober } = options;
  try {
    if (schedule.timeoutMs === 0) return await prober(probe, stop);
    return await withDeadline(clock, `the ${probe.kind} check`, schedule.timeoutMs, (expired) =>
      prober(probe, AbortSignal.any([stop, expired])),
    );
  } catch (error) {
    const isLate = error instanceof DeadlineExceededError;
    const why = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', why: isLate ? `timed out after ${schedule.timeoutMs} ms` : why };
  }
}
