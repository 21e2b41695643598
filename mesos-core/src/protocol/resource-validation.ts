import { idProblem } from './ids.ts';
import type { Resource, ValueRange } from './messages.ts';
import { reservationsOf } from './resource-identity.ts';
import { formatResource } from './resource-text.ts';
import { type Resources, reservationRole } from './resources.ts';
import { roleNameProblem } from './roles.ts';

/** Mesos has no limit; but what is done with resources takes time for each pair of them. */
const RESOURCES_MAX = 500;

/** Why there are too many resources to look at, or `undefined`. */
export function resourceCountProblem(resources: Resources): string | undefined {
  return resources.length > RESOURCES_MAX ? `More than ${RESOURCES_MAX} resources` : undefined;
}

/** What is wrong with resources that somebody names in a call, in Mesos' words, or `undefined`. */
export function resourceFormProblem(resources: Resources): string | undefined {
  const excess = resourceCountProblem(resources);
  if (excess !== undefined) return excess;
  for (const resource of resources) {
    const problem =
      valueProblem(resource) ?? reservationsProblem(resource) ?? diskProblem(resource);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function valueProblem({ name, type, scalar, ranges, set }: Resource): string | undefined {
  if (name === '') return 'Empty resource name';
  switch (type) {
    case 'SCALAR':
      if (scalar === undefined || ranges !== undefined || set !== undefined) {
        return `Invalid scalar resource: ${name}`;
      }
      if (!(scalar.value >= 0)) return 'Invalid scalar resource: value < 0';
      if (name === 'gpus' && !Number.isInteger(scalar.value)) {
        return "The 'gpus' resource must be an unsigned integer";
      }
      return undefined;
    case 'RANGES':
      return ranges === undefined || scalar !== undefined || set !== undefined
        ? `Invalid ranges resource: ${name}`
        : rangesProblem(ranges.range ?? []);
    case 'SET':
      if (set === undefined || scalar !== undefined || ranges !== undefined) {
        return `Invalid set resource: ${name}`;
      }
      return new Set(set.item).size < (set.item?.length ?? 0)
        ? 'Invalid set resource: duplicated elements'
        : undefined;
    case 'TEXT':
      return 'Unsupported resource type';
  }
}

/** Ranges need not be in order, nor as few as can be. */
function rangesProblem(ranges: readonly ValueRange[]): string | undefined {
  if (ranges.some(({ begin, end }) => begin > end)) return 'Invalid ranges resource: begin > end';
  if (ranges.length < 2) return undefined;
  const sorted = ranges.toSorted((a, b) => a.begin - b.begin);
  const overlaps = sorted.some(({ begin }, index) => begin <= (sorted[index - 1]?.end ?? -1));
  return overlaps ? 'Invalid ranges resource: overlapping ranges' : undefined;
}

function reservationsProblem(resource: Resource): string | undefined {
  const reservations = reservationsOf(resource);
  for (const [index, { type, role }] of reservations.entries()) {
    if (type !== 'STATIC' && type !== 'DYNAMIC') {
      return `Invalid reservation: 'type' must be set in ${formatResource(resource)}`;
    }
    if (role === undefined || role === '') return "Invalid reservation: 'role' must be set";
    if (role === '*') return "Invalid reservation: role '*' cannot be reserved";
    const invalidRole = roleNameProblem(role);
    if (invalidRole !== undefined) return `Invalid reservation role: ${invalidRole}`;
    if (index === 0) continue;
    const ancestor = reservations[index - 1]?.role ?? '';
    if (type === 'STATIC') {
      return 'Invalid refined reservation: A refined reservation cannot be STATIC';
    }
    if (!role.startsWith(`${ancestor}/`)) {
      return `Invalid refined reservation: role '${role}' is not a refinement of '${ancestor}'`;
    }
  }
  return undefined;
}

function diskProblem({ name, disk, ...resource }: Resource): string | undefined {
  if (disk === undefined) return undefined;
  if (name !== 'disk') return `DiskInfo should not be set for ${name} resource`;
  const { persistence, volume, source } = disk;
  if (persistence === undefined) {
    if (volume !== undefined) return 'Non-persistent volume not supported';
    return source === undefined ? 'DiskInfo is set but empty' : undefined;
  }
  if (reservationsOf({ name, ...resource }).length === 0) {
    return 'Persistent volumes cannot be created from unreserved resources';
  }
  if (volume === undefined) return "Expecting 'volume' to be set for persistent volume";
  if (volume.host_path !== undefined) {
    return "Expecting 'host_path' to be unset for persistent volume";
  }
  const invalidId = idProblem(persistence.id);
  return invalidId && `Invalid persistence ID for persistent volume: ${invalidId}`;
}

/** Why not all of the resources are persistent volumes, or `undefined`. */
export function persistentVolumesProblem(volumes: Resources): string | undefined {
  for (const volume of volumes) {
    if (volume.disk === undefined)
      return `Resource ${formatResource(volume)} does not have DiskInfo`;
    if (volume.disk.persistence === undefined) return "'persistence' is not set in DiskInfo";
  }
  return undefined;
}

/** Persistence ids name directories: they are unique per role on each agent. */
export function persistenceIdsProblem(resources: Resources): string | undefined {
  const seen = new Set<string>();
  for (const resource of resources) {
    const id = resource.disk?.persistence?.id;
    if (id === undefined) continue;
    const key = JSON.stringify([reservationRole(resource), id]);
    if (seen.has(key)) return `Persistence ID '${id}' is not unique`;
    seen.add(key);
  }
  return undefined;
}
