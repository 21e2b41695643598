import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantsFor, type Pull, pullKey } from './pull-grants.ts';

const pull = (agent: number, waits = true): Pull => ({ agentId: `a${agent}`, version: 'v', waits });

describe('tickets for copies of images', () => {
  it('go to those that came first, as many as are free', () => {
    const pulls = [pull(1, false), pull(2), pull(3), pull(4)];
    expect(grantsFor(pulls, new Map(), 3, 0)).toEqual([pull(2), pull(3)]);
  });

  it('are said again to who has not heard, and are free when nobody uses them', () => {
    const given = new Map([[pullKey(pull(1)), 0]]);
    expect(grantsFor([pull(1), pull(2)], given, 1, 10_000)).toEqual([pull(1)]);
    // The holder is gone, or has gone on without: its ticket is of no account.
    expect(grantsFor([pull(2)], given, 1, 10_000)).toEqual([pull(2)]);
  });

  it('never let more copies go on than may, and never let all wait', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 20 }),
        fc.uniqueArray(fc.nat(19)),
        fc.integer({ min: 1, max: 5 }),
        (waits, givenTo, max) => {
          const pulls = waits.map((each, index) => pull(index, each));
          const given = new Map(givenTo.slice(0, max).map((n) => [pullKey(pull(n)), 0]));
          const grants = grantsFor(pulls, given, max, 1_000);
          const going = pulls.filter((each) => !each.waits).length;
          const before = pulls.filter((each) => each.waits && given.has(pullKey(each))).length;
          expect(grants.length).toBeLessThanOrEqual(Math.max(before, max - going));
          const isAllIdle = going === 0 && pulls.length > 0;
          expect(isAllIdle && grants.length === 0).toBe(false);
        },
      ),
    );
  });
});
