import type { RoleFigures } from '../../allocator/index.ts';
import {
  addResources,
  countRanges,
  LazyList,
  LazyMessage,
  type Quantities,
  type Resources,
  reservationRole,
  scalarQuantities,
  unreserved,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import { rolesOf } from '../state.ts';
import { allocatedByRole } from './resource-sums.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import type { Visibility } from './visibility.ts';

/** `GET /roles`: those of frameworks, and those with a quota or a weight. */
export function olderRoles(
  { allocator }: MasterCore,
  snapshot: ClusterSnapshot,
  visibility: Visibility,
): LazyMessage {
  const known = new Map(allocator.figures().roles.map((role) => [role.path, role]));
  const members = membersByRole(snapshot);
  const names = [...new Set([...known.keys(), ...members.keys()])].toSorted();
  return new LazyMessage({
    roles: new LazyList(function* () {
      const allocated = yield* allocatedByRole(snapshot);
      const offered = offeredByRole(snapshot);
      const reserved = reservedBy(snapshot);
      for (const name of names.filter((each) => visibility.role(each))) {
        const own = allocated.get(name) ?? [];
        const open = offered.get(name) ?? [];
        yield {
          name,
          weight: known.get(name)?.weight ?? 1,
          quota: quotaOf(name, known.get(name)),
          resources: amounts(addResources(own, open)),
          allocated: amounts(own),
          offered: amounts(open),
          reserved: amounts(reserved.get(name) ?? []),
          frameworks: members.get(name) ?? [],
        };
      }
    }),
  });
}

function quotaOf(role: string, figures: RoleFigures | undefined) {
  const { guarantees: guarantee = {}, limits: limit = {}, consumed = {} } = figures ?? {};
  return { role, guarantee, limit, consumed };
}

function membersByRole({ frameworks }: ClusterSnapshot): ReadonlyMap<string, readonly string[]> {
  const pairs = frameworks.flatMap(({ id, info }) => rolesOf(info).map((role) => ({ role, id })));
  const byRole = Map.groupBy(pairs, ({ role }) => role);
  return new Map([...byRole].map(([role, list]) => [role, list.map(({ id }) => id)]));
}

function offeredByRole({ frameworks }: ClusterSnapshot): ReadonlyMap<string, Resources> {
  const offers = frameworks.flatMap((framework) => framework.offers);
  return sums(Map.groupBy(offers, ({ allocation_info }) => allocation_info?.role ?? '*'));
}

function reservedBy({ agents }: ClusterSnapshot): ReadonlyMap<string, Resources> {
  const reserved = agents.flatMap(({ total }) => {
    const free = new Set(unreserved(total));
    return total.filter((resource) => !free.has(resource));
  });
  const byRole = Map.groupBy(reserved, reservationRole);
  return new Map([...byRole].map(([role, resources]) => [role, addResources([], resources)]));
}

function sums(
  groups: ReadonlyMap<string, readonly { readonly resources?: Resources | undefined }[]>,
): ReadonlyMap<string, Resources> {
  const total = (list: readonly { readonly resources?: Resources | undefined }[]): Resources =>
    addResources(
      [],
      list.flatMap(({ resources }) => resources ?? []),
    );
  return new Map([...groups].map(([key, list]) => [key, total(list)]));
}

/** How much there is of each; of ranges and sets, how many. */
function amounts(resources: Resources): Quantities {
  const counts: Record<string, number> = { ...scalarQuantities(resources) };
  for (const { name, type, ranges, set } of resources) {
    if (type === 'SCALAR') continue;
    const count = (set?.item ?? []).length + countRanges(ranges?.range ?? []);
    counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}
