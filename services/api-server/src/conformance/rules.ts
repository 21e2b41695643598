import type { ConformanceCheck } from '@factory/contracts';

/** The link's timestamps are whole seconds, and an answer takes a while. */
const SKEW_SECONDS_MAX = 5;

/** What the signed request itself says: how far the cluster's clock is from ours. Pure. */
export function clockCheck(timestamp: string, nowMs: number): ConformanceCheck {
  const skewSeconds = Math.round(Math.abs(nowMs / 1000 - Number(timestamp)));
  const outcome = skewSeconds <= SKEW_SECONDS_MAX ? 'passed' : 'failed';
  const detail = `The clocks differ by ${skewSeconds} s; at most ${SKEW_SECONDS_MAX} s are allowed.`;
  return { name: 'clockSkew', outcome, detail };
}

/** Whether a cluster with these may be given machines: what was not looked at does not keep it out. */
export function hasPassed(checks: readonly ConformanceCheck[]): boolean {
  return checks.length > 0 && checks.every(({ outcome }) => outcome !== 'failed');
}
