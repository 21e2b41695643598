import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QuotaConfig } from '../../protocol/index.ts';
import {
  configProblem,
  contains,
  formatQuantities,
  isWithin,
  quotaOf,
  quotaStatus,
  sumOf,
  totalGuarantees,
  treeProblem,
  withQuotas,
} from './quota-plan.ts';

const NAMES = ['cpus', 'mem', 'disk'] as const;
const amount = fc.integer({ min: 0, max: 4000 }).map((units) => units / 1000);
const quantities = fc.dictionary(fc.constantFrom(...NAMES), amount, { maxKeys: 3 });
const scalars = quantities.map((each) =>
  Object.fromEntries(Object.entries(each).map(([name, value]) => [name, { value }])),
);
const role = fc.constantFrom('a', 'a/b', 'a/b/c', 'a/d', 'e', 'e/f');
const config: fc.Arbitrary<QuotaConfig> = fc.record(
  { role, guarantees: scalars, limits: scalars },
  { requiredKeys: ['role'] },
);
const configs = fc.uniqueArray(config, { selector: (each) => each.role, maxLength: 6 });

/** Guarantees of the roles right below one, added up without the code under test. */
function childrenNeed(all: readonly QuotaConfig[], parent: string, name: string): number {
  const children = all.filter((each) => each.role.split('/').slice(0, -1).join('/') === parent);
  const units = children.map(({ guarantees = {} }) =>
    Math.round((guarantees[name]?.value ?? 0) * 1000),
  );
  return units.reduce((sum, each) => sum + each, 0);
}

describe('guarantees of roles and of those below them', () => {
  it('stand together just when each parent has what its children have together', () => {
    fc.assert(
      fc.property(configs, (all) => {
        const parents = new Set(
          all.map((each) => each.role.split('/').slice(0, -1).join('/')).filter(Boolean),
        );
        const isFine = [...parents].every((parent) =>
          NAMES.every((name) => {
            const own = all.find((each) => each.role === parent)?.guarantees?.[name]?.value ?? 0;
            return childrenNeed(all, parent, name) <= Math.round(own * 1000);
          }),
        );
        expect(treeProblem(all) === undefined).toBe(isFine);
      }),
    );
  });

  it('are counted once, at the top', () => {
    fc.assert(
      fc.property(configs, (all) => {
        const total = totalGuarantees(all);
        for (const name of NAMES) {
          expect(Math.round((total[name] ?? 0) * 1000)).toBe(childrenNeed(all, '', name));
        }
      }),
    );
  });

  it('that stand together need no more than is at the top', () => {
    fc.assert(
      fc.property(configs, (all) => {
        fc.pre(treeProblem(all) === undefined);
        const total = totalGuarantees(all);
        for (const each of all) expect(contains(total, quotaOf(each).guarantees)).toBe(true);
      }),
    );
  });
});

describe('a configuration', () => {
  it('is refused when it guarantees more than its limit', () => {
    fc.assert(
      fc.property(config, (each) => {
        const { guarantees, limits } = quotaOf(each);
        expect(configProblem(each) === undefined).toBe(isWithin(guarantees, limits));
      }),
    );
  });

  it('replaces that of the same role, and none other', () => {
    fc.assert(
      fc.property(configs, configs, (before, changes) => {
        const after = withQuotas(before, changes);
        const byRole = new Map(after.map((each) => [each.role, each]));
        expect(byRole.size).toBe(after.length);
        const changed = new Set(changes.map((each) => each.role));
        for (const each of before) {
          if (changed.has(each.role)) continue;
          expect(withQuotas([], [each])).toEqual(after.filter(({ role }) => role === each.role));
        }
        // The same change again changes nothing.
        expect(withQuotas(after, changes)).toEqual(after);
      }),
    );
  });

  it('without limits and guarantees is none; a limit of nothing is one', () => {
    const zero = { cpus: { value: 0 } };
    expect(withQuotas([], [{ role: 'a' }, { role: 'e', guarantees: zero }])).toEqual([]);
    expect(withQuotas([], [{ role: 'a', limits: zero }])).toHaveLength(1);
  });

  it('is shown under its role in both forms', () => {
    fc.assert(
      fc.property(configs, (all) => {
        const { infos = [], configs: shown = [] } = quotaStatus(all);
        expect(infos.map((each) => each.role)).toEqual(shown.map((each) => each.role));
        expect(shown).toHaveLength(all.length);
      }),
    );
  });
});

describe('quantities', () => {
  it('add up exactly, in any order', () => {
    fc.assert(
      fc.property(fc.array(quantities), (all) => {
        const sum = sumOf(all);
        expect(contains(sum, sumOf(all.toReversed()))).toBe(true);
        expect(contains(sumOf(all.toReversed()), sum)).toBe(true);
        for (const each of all) expect(contains(sum, each)).toBe(true);
      }),
    );
  });

  it('are printed as by Mesos', () => {
    expect(formatQuantities({ mem: 512, cpus: 0.5 })).toBe('cpus:0.5; mem:512');
    expect(formatQuantities({})).toBe('{}');
  });
});
