import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHealthy } from './check-definition.ts';
import {
  type HealthPolicy,
  type HealthReport,
  healthAfter,
  healthPolicyOf,
  UNKNOWN_HEALTH,
} from './health.ts';

const POLICY: HealthPolicy = { consecutiveFailuresMax: 3, gracePeriodMs: 10_000 };

interface Look {
  readonly isSuccess: boolean;
  readonly ageMs: number;
}

/** What is told of each look. */
function run(policy: HealthPolicy, looks: readonly Look[]): readonly (HealthReport | undefined)[] {
  let state = UNKNOWN_HEALTH;
  return looks.map(({ isSuccess, ageMs }) => {
    const after = healthAfter(state, policy, isSuccess, ageMs);
    state = after.state;
    return after.report;
  });
}

function looksFrom(text: string, ageMs = 20_000): readonly Look[] {
  return Array.from(text, (letter) => ({ isSuccess: letter === '+', ageMs }));
}

const LOOKS = fc.array(fc.record({ isSuccess: fc.boolean(), ageMs: fc.nat(30_000) }), {
  maxLength: 40,
});
const POLICIES = fc.record({
  consecutiveFailuresMax: fc.integer({ min: 1, max: 5 }),
  gracePeriodMs: fc.nat(20_000),
});

describe('the health of a task', () => {
  it('is told at the first success, and after that only when it changes', () => {
    expect(run(POLICY, looksFrom('+++'))).toEqual([
      { healthy: true, isFatal: false },
      undefined,
      undefined,
    ]);
  });

  it('is told at every failure, and the third in a row is fatal', () => {
    const bad = { healthy: false, isFatal: false };
    const good = { healthy: true, isFatal: false };
    expect(run(POLICY, looksFrom('--+---'))).toEqual([
      ...[bad, bad, good, bad, bad],
      { healthy: false, isFatal: true },
    ]);
  });

  it('does not count failures in the grace period, until a look has succeeded', () => {
    const early = (isSuccess: boolean): Look => ({ isSuccess, ageMs: 5000 });
    expect(run(POLICY, [early(false), early(false), early(false), early(false)])).toEqual(
      Array(4).fill(undefined),
    );
    expect(run(POLICY, [early(true), early(false)])[1]).toEqual({ healthy: false, isFatal: false });
  });

  it("has Mesos' patience where a check does not say", () => {
    expect(healthPolicyOf({})).toEqual(POLICY);
  });

  it('is fatal exactly when the last failures in a row are enough and count', () => {
    fc.assert(
      fc.property(POLICIES, LOOKS, (policy, looks) => {
        const reports = run(policy, looks);
        let row = 0;
        let hasSucceeded = false;
        looks.forEach(({ isSuccess, ageMs }, index) => {
          const isForgiven =
            !hasSucceeded && policy.gracePeriodMs > 0 && ageMs <= policy.gracePeriodMs;
          if (isSuccess) {
            row = 0;
            hasSucceeded = true;
          } else if (!isForgiven) row += 1;
          const isFatal = !isSuccess && !isForgiven && row >= policy.consecutiveFailuresMax;
          expect(reports[index]?.isFatal ?? false).toBe(isFatal);
        });
      }),
    );
  });

  it('as it was told last is always what the last look that counts has seen', () => {
    fc.assert(
      fc.property(LOOKS, (looks) => {
        const policy = { consecutiveFailuresMax: 3, gracePeriodMs: 0 };
        const told = run(policy, looks).filter((report) => report !== undefined);
        expect(told.at(-1)?.healthy).toBe(looks.at(-1)?.isSuccess);
      }),
    );
  });
});

describe('a look', () => {
  it.each([
    [{ kind: 'exited', exitCode: 0 } as const, true],
    [{ kind: 'exited', exitCode: 1 } as const, false],
    [{ kind: 'answered', statusCode: 200 } as const, true],
    [{ kind: 'answered', statusCode: 399 } as const, true],
    [{ kind: 'answered', statusCode: 404 } as const, false],
    [{ kind: 'connected', succeeded: true } as const, true],
    [{ kind: 'failed', why: 'it took too long' } as const, false],
  ])('%j is a good sign: %s', (result, expected) => {
    expect(isHealthy(result)).toBe(expected);
  });
});
