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
import { consumptions, quotasOf } from '../quota/quota.ts';
import { quotaOf } from '../quota/quota-plan.ts';
import { membersByRole } from '../role-names.ts';
import { knownRoles, weightsByRole } from '../weights/weights.ts';
import { allocatedByRole, type Holding, sumInSteps } from './resource-sums.ts';
import type { ClusterSnapshot } from './snapshot.ts';
import type { Visibility } from './visibility.ts';

/** `GET /roles`: all that are known, with their quotas and weights. */
export function olderRoles(
  core: MasterCore,
  snapshot: ClusterSnapshot,
  visibility: Visibility,
): LazyMessage {
  const members = membersByRole(snapshot.frameworks);
  const names = knownRoles(core, members.keys()).filter((name) => visibility.role(name));
  const weights = weightsByRole(core);
  const quotas = quotaViews(core, names);
  return new LazyMessage({
    roles: new LazyList(function* () {
      const allocated = yield* allocatedByRole(snapshot);
      const offered = yield* sumInSteps(offers(snapshot));
      const reserved = yield* sumInSteps(reservations(snapshot));
      for (const [index, name] of names.entries()) {
        const own = allocated.get(name) ?? [];
        const open = offered.get(name) ?? [];
        yield {
          name,
          weight: weights.get(name) ?? 1,
          quota: quotas[index],
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

/** What each role may have and has at the moment. */
function quotaViews(core: MasterCore, names: readonly string[]) {
  const quotas = new Map(quotasOf(core).map((config) => [config.role, quotaOf(config)]));
  const consumedBy = consumptions(core);
  return names.map((role) => {
    const { guarantees: guarantee = {}, limits: limit = {} } = quotas.get(role) ?? {};
    return { role, guarantee, limit, consumed: consumedBy(role) };
  });
}

function* offers({ frameworks }: ClusterSnapshot): Generator<Holding> {
  for (const framework of frameworks) {
    for (const { allocation_info, resources = [] } of framework.offers) {
      yield [allocation_info?.role ?? '*', resources];
    }
  }
}

function* reservations({ agents }: ClusterSnapshot): Generator<Holding> {
  for (const { total } of agents) {
    const free = new Set(unreserved(total));
    const reserved = total.filter((resource) => !free.has(resource));
    // Agents without any are work, too.
    if (reserved.length === 0) yield ['*', []];
    for (const resource of reserved) yield [reservationRole(resource), [resource]];
  }
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
