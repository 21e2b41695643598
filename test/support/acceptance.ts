import { systemClock } from '@factory/runtime';

/**
 * Prints a measured figure beside its limit. Limits are of an idle machine of two cores: only
 * `./factory test --acceptance` fails when one is missed, as ordinary runs never depend on speed.
 */
export function figure(
  what: string,
  value: number,
  unit: string,
  limit: number,
  bound: 'most' | 'least' = 'most',
): void {
  const isMet = bound === 'most' ? value <= limit : value >= limit;
  const text = `${value.toFixed(2)} ${unit} (limit: at ${bound} ${limit} ${unit})`;
  console.log(`  ${isMet ? 'ok  ' : 'OVER'} ${what}: ${text}`);
  const isStrict = process.env.FACTORY_ACCEPTANCE_STRICT === '1';
  if (!isMet && isStrict) process.exitCode = 1;
}

/** Prints a fact, and fails the acceptance when it does not hold. */
export function expectThat(what: string, holds: boolean, detail = ''): void {
  console.log(`  ${holds ? 'ok  ' : 'FAIL'} ${what}${holds || detail === '' ? '' : `: ${detail}`}`);
  if (!holds) process.exitCode = 1;
}

/** The seconds that `work` takes, and its result. */
export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  const startedAtMs = systemClock.monotonicMs();
  const value = await work();
  return { value, seconds: (systemClock.monotonicMs() - startedAtMs) / 1000 };
}
