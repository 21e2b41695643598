import type { HealthCheck } from '../../protocol/index.ts';

/** How patient a health check is. */
export interface HealthPolicy {
  /** Failures in a row that cost the task its life. */
  readonly consecutiveFailuresMax: number;
  /** From the start of the task; failures before the first success do not count in it. */
  readonly gracePeriodMs: number;
}

/** What is known of a task's health. Immutable. */
export interface HealthState {
  /** No look has succeeded yet, and none has failed after the grace period. */
  readonly isInitializing: boolean;
  readonly consecutiveFailures: number;
}

/** Something to tell the framework. */
export interface HealthReport {
  readonly healthy: boolean;
  /** The task has failed so often that it is to be killed. */
  readonly isFatal: boolean;
}

/** A task that was just started. */
export const UNKNOWN_HEALTH: HealthState = { isInitializing: true, consecutiveFailures: 0 };

/** The policy of a health check; Mesos' defaults are three failures and ten seconds. */
export function healthPolicyOf(check: HealthCheck): HealthPolicy {
  return {
    consecutiveFailuresMax: check.consecutive_failures ?? 3,
    gracePeriodMs: (check.grace_period_seconds ?? 10) * 1000,
  };
}

/**
 * The health after a look, `ageMs` after the start of the task, and what is to be told: each failure
 * that counts, and the first success at all or after failures. As Mesos' HealthChecker. Pure.
 */
export function healthAfter(
  state: HealthState,
  policy: HealthPolicy,
  isSuccess: boolean,
  ageMs: number,
): { readonly state: HealthState; readonly report: HealthReport | undefined } {
  if (isSuccess) {
    const isNews = state.isInitializing || state.consecutiveFailures > 0;
    return {
      state: { isInitializing: false, consecutiveFailures: 0 },
      report: isNews ? { healthy: true, isFatal: false } : undefined,
    };
  }
  if (state.isInitializing && policy.gracePeriodMs > 0 && ageMs <= policy.gracePeriodMs) {
    return { state, report: undefined };
  }
  const consecutiveFailures = state.consecutiveFailures + 1;
  return {
    state: { ...state, consecutiveFailures },
    report: { healthy: false, isFatal: consecutiveFailures >= policy.consecutiveFailuresMax },
  };
}
