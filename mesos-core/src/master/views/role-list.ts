import { addResources, type Quantities, type Resource, type Role } from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { membersByRole } from '../role-names.ts';
import { knownRoles, weightsByRole } from '../weights/weights.ts';

/**
 * `GetRoles` of the v1 operator API: roles that frameworks have or hold something under, with a quota, a
 * weight or a reservation, and their ancestors.
 */
export function roleList(core: MasterCore): readonly Role[] {
  const { state } = core;
  const weights = weightsByRole(core);
  const members = membersByRole(state.frameworks.values());
  return knownRoles(core, members.keys()).map((name) => {
    const ids = members.get(name) ?? [];
    return {
      name,
      weight: weights.get(name) ?? 1,
      frameworks: unlessEmpty(ids.map((value) => ({ value }))),
      resources: unlessEmpty(asScalars(ids.map((id) => state.usageOf(id, name)))),
    };
  });
}

/** Mesos leaves out some lists that are empty. */
function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Sums, by name. */
function asScalars(quantities: readonly Quantities[]): readonly Resource[] {
  const resources = quantities.flatMap((each) =>
    Object.entries(each).map(([name, value]) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
    })),
  );
  return addResources([], resources).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
