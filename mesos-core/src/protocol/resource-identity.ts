import type { Labels, Resource, ResourceReservationInfo } from './messages.ts';

const NONE: readonly ResourceReservationInfo[] = [];

/** Can't be part of a name: names come out of JSON and flags as printable text. */
const SEPARATOR = '\u0000';

/**
 * The reservations of a resource, outermost first; empty for an unreserved one. Reads the older
 * format too (`role` and `reservation`, before reservations could be refined).
 */
export function reservationsOf(resource: Resource): readonly ResourceReservationInfo[] {
  if (resource.reservations !== undefined && resource.reservations.length > 0) {
    return resource.reservations;
  }
  if (resource.role === undefined || resource.role === '*') return NONE;
  if (resource.reservation === undefined) return [{ type: 'STATIC', role: resource.role }];
  const { principal, labels } = resource.reservation;
  return [
    {
      type: 'DYNAMIC',
      role: resource.role,
      ...(principal === undefined ? {} : { principal }),
      ...(labels === undefined ? {} : { labels }),
    },
  ];
}

/**
 * What a resource is, apart from how much: two with the same identity differ in their value only.
 * Name, type, allocation, reservations, disk source and persistence, provider, shared, revocable.
 * A disk's `volume` is not part of it: it says how a task uses the disk.
 */
export function identityOf(resource: Resource): string {
  const known = identities.get(resource);
  if (known !== undefined) return known;
  const { name, type, provider_id, revocable, shared } = resource;
  const plain = `${name}${SEPARATOR}${type}${SEPARATOR}${allocatedTo(resource)}`;
  if (isPlain(resource)) return plain;
  const special = JSON.stringify([
    reservationsOf(resource).map(reservationKey),
    diskKey(resource),
    provider_id?.value ?? null,
    revocable !== undefined,
    shared !== undefined,
  ]);
  const identity = `${plain}${SEPARATOR}${special}`;
  identities.set(resource, identity);
  return identity;
}

/** Those that took some work: resources never change, and are compared again and again. */
const identities = new WeakMap<Resource, string>();

/** Whether two resources differ in their value at most: their {@link identityOf} is the same. */
export function isSameKind(a: Resource, b: Resource): boolean {
  if (a.name !== b.name || a.type !== b.type || allocatedTo(a) !== allocatedTo(b)) return false;
  const isPlainA = isPlain(a);
  if (isPlainA !== isPlain(b)) return false;
  return isPlainA || identityOf(a) === identityOf(b);
}

function allocatedTo({ allocation_info }: Resource): string {
  return allocation_info?.role ?? '';
}

/** Whether it has nothing but a name, a type, a value and an allocation: most resources are so. */
export function isPlain(resource: Resource): boolean {
  const { role, reservations, disk, provider_id, revocable, shared } = resource;
  return (
    (reservations === undefined || reservations.length === 0) &&
    (role === undefined || role === '*') &&
    disk === undefined &&
    provider_id === undefined &&
    revocable === undefined &&
    shared === undefined
  );
}

function reservationKey(reservation: ResourceReservationInfo): unknown {
  const { type, role, principal, labels } = reservation;
  return [type ?? 'UNKNOWN', role ?? '', principal ?? null, labelsKey(labels)];
}

function diskKey({ disk }: Resource): unknown {
  if (disk === undefined) return null;
  const { source, persistence } = disk;
  const sourceKey = source && [
    source.type,
    source.path?.root ?? null,
    source.mount?.root ?? null,
    source.vendor ?? null,
    source.id ?? null,
    source.profile ?? null,
    labelsKey(source.metadata),
  ];
  return [sourceKey ?? null, persistence?.id ?? null];
}

/** Labels are a bag: their order says nothing. */
function labelsKey(labels: Labels | undefined): unknown {
  return labels?.labels?.map(({ key, value }) => JSON.stringify([key, value ?? null])).toSorted();
}

/**
 * Whether the resource is one thing that can't be cut or merged: a persistent volume, a MOUNT or
 * BLOCK disk, a RAW disk with an id, or a shared resource.
 */
export function isIndivisible({ disk, shared }: Resource): boolean {
  if (shared !== undefined || disk?.persistence !== undefined) return true;
  switch (disk?.source?.type) {
    case 'MOUNT':
    case 'BLOCK':
      return true;
    case 'RAW':
      return disk.source.id !== undefined;
    case 'PATH':
    case 'UNKNOWN':
    case undefined:
      return false;
  }
}
