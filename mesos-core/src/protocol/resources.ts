import type { Resource, ResourceReservationInfo } from './messages.ts';
import {
  identityOf,
  isIndivisible,
  isPlain,
  isSameKind,
  reservationsOf,
} from './resource-identity.ts';
import {
  addRanges,
  addScalars,
  addSets,
  containsRanges,
  containsSets,
  fromUnits,
  subtractRanges,
  subtractScalars,
  subtractSets,
  toUnits,
} from './values.ts';

/** Resources of one owner. Order says nothing; a shared resource stands in it once per use. */
export type Resources = readonly Resource[];

/** Amounts of scalar resources by name. */
export type Quantities = Readonly<Record<string, number>>;

/** Whether there is nothing of it (or, after a subtraction, less). */
export function isEmptyResource(resource: Resource): boolean {
  switch (resource.type) {
    case 'SCALAR':
      return toUnits(resource.scalar?.value ?? 0) <= 0;
    case 'RANGES':
      return (resource.ranges?.range ?? []).every(({ begin, end }) => begin > end);
    case 'SET':
      return (resource.set?.item ?? []).length === 0;
    case 'TEXT':
      return true;
  }
}

/** Whether both are the same, amount included; `volume` of a disk does not count. */
export function equalResource(a: Resource, b: Resource): boolean {
  return isSameKind(a, b) && containsValue(a, b) && containsValue(b, a);
}

/** Whether both hold the same. */
export function equalResources(a: Resources, b: Resources): boolean {
  return containsResources(a, b) && containsResources(b, a);
}

/** Whether both list the same amounts in the same order, and nothing that is more than an amount. */
export function isSamePlainResources(a: Resources, b: Resources): boolean {
  return (
    a.length === b.length &&
    a.every((resource, index) => {
      const other = b[index];
      if (other === undefined || !isPlain(resource) || !isPlain(other)) return false;
      const isScalar = resource.scalar !== undefined && other.scalar !== undefined;
      return (
        isScalar && isSameKind(resource, other) && resource.scalar.value === other.scalar.value
      );
    })
  );
}

/** The same resources with one entry each, and none that is empty. */
export function normalizeResources(resources: Resources): Resources {
  return sumOf([], resources);
}

/** The resources of `a` and `b` together. */
export function addResources(a: Resources, b: Resources): Resources {
  return sumOf(a, b);
}

/** Among up to so many kinds, a look at each is quicker than a map of what they are. */
const FEW_KINDS = 12;
/** So few to add are looked for one by one in any case. */
const FEW_ADDED = 4;

/** Long lists that are known to be sums: lists never change, and a long one is summed up often. */
const longSums = new WeakSet<Resources>();

function sumOf(a: Resources, b: Resources): Resource[] {
  const sum = a.length === 0 && longSums.has(b) ? [...b] : summedUp(a, b);
  // What `a` repeats stays repeated.
  const isOfSums = a.length === 0 || longSums.has(a);
  if (isOfSums && sum.length > FEW_KINDS) longSums.add(sum);
  return sum;
}

function summedUp(a: Resources, b: Resources): Resource[] {
  const sum = [...a];
  let indexOf: Map<string, number> | undefined;
  let parts: Map<number, Resource[]> | undefined;
  for (const resource of b) {
    if (isEmptyResource(resource)) continue;
    if (sum.length > FEW_KINDS && b.length > FEW_ADDED) {
      indexOf ??= new Map(sum.map((each, index) => [identityOf(each), index]));
    }
    const index = isIndivisible(resource) ? -1 : indexOfKind(sum, resource, indexOf);
    const same = sum[index];
    if (same === undefined) {
      const added = sum.push(resource) - 1;
      indexOf?.set(identityOf(resource), added);
    } else if (resource.type === 'SCALAR') {
      sum[index] = addValue(same, resource);
    } else {
      // Put together at once, at the end: there may be very many, and long ones.
      parts ??= new Map();
      const known = parts.get(index);
      if (known === undefined) parts.set(index, [resource]);
      else known.push(resource);
    }
  }
  for (const [index, others] of parts ?? []) {
    const first = sum[index];
    if (first !== undefined) sum[index] = addValue(first, joined(first, others));
  }
  return sum;
}

function indexOfKind(
  list: Resources,
  resource: Resource,
  indexOf: ReadonlyMap<string, number> | undefined,
): number {
  if (indexOf !== undefined) return indexOf.get(identityOf(resource)) ?? -1;
  return list.findIndex((each) => isSameKind(each, resource));
}

/** Ranges or sets of several, one after the other. */
function joined(like: Resource, all: readonly Resource[]): Resource {
  return like.type === 'RANGES'
    ? { ...like, ranges: { range: all.flatMap(({ ranges }) => ranges?.range ?? []) } }
    : { ...like, set: { item: all.flatMap(({ set }) => set?.item ?? []) } };
}

/**
 * The resources of `a` that are not in `b`. What `b` has beyond `a` changes nothing, and an
 * indivisible resource goes as a whole or not at all: ask {@link containsResources} before.
 */
export function subtractResources(a: Resources, b: Resources): Resources {
  const rest = sumOf([], a);
  for (const resource of b) {
    subtractAt(
      rest,
      rest.findIndex((candidate) => isSubtractable(candidate, resource)),
      resource,
    );
  }
  return rest;
}

/** Whether all of `b` is in `a`. */
export function containsResources(a: Resources, b: Resources): boolean {
  const rest = sumOf([], a);
  for (const resource of normalizeResources(b)) {
    const index = rest.findIndex(
      (candidate) => isSubtractable(candidate, resource) && containsValue(candidate, resource),
    );
    if (index < 0) return false;
    subtractAt(rest, index, resource);
  }
  return true;
}

function subtractAt(rest: Resource[], index: number, resource: Resource): void {
  const from = rest[index];
  if (from === undefined) return;
  const left = subtractValue(from, resource);
  if (isIndivisible(from) || isEmptyResource(left)) rest.splice(index, 1);
  else rest[index] = left;
}

/** The same resources with each shared one just once, however many use it. */
export function eachSharedOnce(resources: Resources): Resources {
  const seen = new Set<string>();
  return resources.filter((resource) => {
    if (resource.shared === undefined) return true;
    const identity = identityOf(resource);
    const isFirst = !seen.has(identity);
    seen.add(identity);
    return isFirst;
  });
}

/** Whether users may have all of `taken` of what is `available`: of a shared resource each its own. */
export function canTake(available: Resources, taken: Resources): boolean {
  return containsResources(available, eachSharedOnce(taken));
}

/** What is left when users have `taken`; shared resources are there for others, too. */
export function takeResources(available: Resources, taken: Resources): Resources {
  return subtractResources(
    available,
    taken.filter(({ shared }) => shared === undefined),
  );
}

function isSubtractable(from: Resource, resource: Resource): boolean {
  return isSameKind(from, resource) && (!isIndivisible(from) || equalResource(from, resource));
}

function containsValue(a: Resource, b: Resource): boolean {
  switch (a.type) {
    case 'SCALAR':
      return toUnits(b.scalar?.value ?? 0) <= toUnits(a.scalar?.value ?? 0);
    case 'RANGES':
      return containsRanges(a.ranges?.range ?? [], b.ranges?.range ?? []);
    case 'SET':
      return containsSets(a.set?.item ?? [], b.set?.item ?? []);
    case 'TEXT':
      return false;
  }
}

function addValue(a: Resource, b: Resource): Resource {
  switch (a.type) {
    case 'SCALAR':
      return { ...a, scalar: { value: addScalars(a.scalar?.value ?? 0, b.scalar?.value ?? 0) } };
    case 'RANGES':
      return { ...a, ranges: { range: addRanges(a.ranges?.range ?? [], b.ranges?.range ?? []) } };
    case 'SET':
      return { ...a, set: { item: addSets(a.set?.item ?? [], b.set?.item ?? []) } };
    case 'TEXT':
      return a;
  }
}

function subtractValue(a: Resource, b: Resource): Resource {
  switch (a.type) {
    case 'SCALAR': {
      const value = subtractScalars(a.scalar?.value ?? 0, b.scalar?.value ?? 0);
      return { ...a, scalar: { value } };
    }
    case 'RANGES': {
      const range = subtractRanges(a.ranges?.range ?? [], b.ranges?.range ?? []);
      return { ...a, ranges: { range } };
    }
    case 'SET':
      return { ...a, set: { item: subtractSets(a.set?.item ?? [], b.set?.item ?? []) } };
    case 'TEXT':
      return a;
  }
}

/** Of all scalar resources, however reserved or allocated; a shared one counts once. */
export function scalarQuantities(resources: Resources): Quantities {
  const units = new Map<string, number>();
  const shared = new Set<string>();
  for (const resource of resources) {
    if (resource.type !== 'SCALAR') continue;
    if (resource.shared !== undefined) {
      const identity = identityOf(resource);
      if (shared.has(identity)) continue;
      shared.add(identity);
    }
    const before = units.get(resource.name) ?? 0;
    units.set(resource.name, before + toUnits(resource.scalar?.value ?? 0));
  }
  return Object.fromEntries([...units].map(([name, count]) => [name, fromUnits(count)]));
}

/** How much of one scalar resource there is in all; 0 when none. */
export function scalarAmount(resources: Resources, name: string): number {
  return scalarQuantities(resources.filter((resource) => resource.name === name))[name] ?? 0;
}

/** Marks the resources as allocated to `role`; every resource in an offer is. */
export function allocateResources(resources: Resources, role: string): Resources {
  const allocation_info = { role };
  return resources.map((resource) => ({ ...resource, allocation_info }));
}

/** Takes the mark of {@link allocateResources} away. */
export function unallocateResources(resources: Resources): Resources {
  return resources.map(unallocated);
}

function unallocated(resource: Resource): Resource {
  if (resource.allocation_info === undefined) return resource;
  const { name, type, scalar } = resource;
  // Copying all fields but one costs ten times as much, and most resources have no others.
  if (scalar !== undefined && isPlain(resource)) return { name, type, scalar };
  const { allocation_info: _, ...rest } = resource;
  return rest;
}

/** Reserves the resources, on top of the reservations they have (a refinement). */
export function pushReservation(
  resources: Resources,
  reservation: ResourceReservationInfo,
): Resources {
  return resources.map((resource) => {
    const { role: _, reservation: __, ...rest } = resource;
    return { ...rest, reservations: [...reservationsOf(resource), reservation] };
  });
}

/** Takes the innermost reservation away. Unreserved resources stay as they are. */
export function popReservation(resources: Resources): Resources {
  return resources.map((resource) => {
    const left = reservationsOf(resource).slice(0, -1);
    const { role: _, reservation: __, reservations: ___, ...rest } = resource;
    return left.length === 0 ? rest : { ...rest, reservations: left };
  });
}

/** The role that the resource is reserved for, `*` when it is unreserved. */
export function reservationRole(resource: Resource): string {
  return reservationsOf(resource).at(-1)?.role ?? '*';
}

/** All roles that the resource has to do with: those it is reserved for, and is allocated to. */
export function rolesOfResource(resource: Resource): readonly string[] {
  const reserved = reservationsOf(resource).map(({ role = '*' }) => role);
  const allocated = resource.allocation_info?.role;
  return allocated === undefined ? reserved : [...reserved, allocated];
}

/** Whether the innermost reservation was made at run time, so that it can be taken back. */
export function isDynamicallyReserved(resource: Resource): boolean {
  return reservationsOf(resource).at(-1)?.type === 'DYNAMIC';
}

/** Whether a framework of `role` may be offered the resource: roles inherit from their ancestors. */
export function isAllocatableTo(resource: Resource, role: string): boolean {
  const reserved = reservationRole(resource);
  return reserved === '*' || reserved === role || role.startsWith(`${reserved}/`);
}

/** The form for frameworks with RESERVATION_REFINEMENT, and ours: `reservations`, no `role`. */
export function toRefinedFormat(resources: Resources): Resources {
  return resources.map((resource) => {
    if (resource.role === undefined && resource.reservation === undefined) return resource;
    const reservations = reservationsOf(resource);
    const { role: _, reservation: __, reservations: ___, ...rest } = resource;
    return reservations.length === 0 ? rest : { ...rest, reservations };
  });
}

/**
 * The form for frameworks without RESERVATION_REFINEMENT: `role` (`*` when unreserved) and, for a
 * dynamic reservation, `reservation`. A refined one can't be said in it: undefined then.
 */
export function toLegacyFormat(resource: Resource): Resource | undefined {
  if (resource.reservations === undefined && isPlain(resource)) return { ...resource, role: '*' };
  const reservations = reservationsOf(resource);
  if (reservations.length > 1) return undefined;
  const { reservations: _, reservation: __, ...rest } = resource;
  const only = reservations[0];
  if (only === undefined) return { ...rest, role: '*' };
  if (only.type !== 'DYNAMIC') return { ...rest, role: only.role ?? '*' };
  const { role, type: ___, ...reservation } = only;
  return { ...rest, role: role ?? '*', reservation };
}
