import { fromJson } from './codec.ts';
import type {
  Labels,
  Resource,
  ResourceDiskInfo,
  ResourceDiskInfoSource,
  ResourceReservationInfo,
  Volume,
} from './messages.ts';
import { reservationsOf } from './resource-identity.ts';
import { isDynamicallyReserved, normalizeResources, type Resources } from './resources.ts';
import { formatRanges, formatScalar, formatSet, ParseError, parseValue } from './values.ts';

/**
 * Reads the agent's `resources` flag: `cpus:2;mem(eng):1024;ports:[31000-32000]`, where `(eng)`
 * reserves for a role, or a JSON array of Resource messages. Equal resources are added up.
 * @param defaultRole the role that resources without one are reserved for; `*` for none.
 * @param revocable whether some may be revocable, which only JSON can say.
 * @throws ParseError when it is neither, or holds what can only be made at run time; CodecError
 * when the JSON is not of resources.
 */
export function parseResources(
  text: string,
  defaultRole = '*',
  revocable: 'refused' | 'allowed' = 'refused',
): Resources {
  const isJson = /^\s*\[\s*(\{|\])/.test(text);
  const resources = isJson ? parseJson(text, defaultRole) : parseSimple(text, defaultRole);
  checkFlag(resources, revocable);
  return normalizeResources(resources);
}

function parseSimple(text: string, defaultRole: string): Resources {
  const tokens = text.split(/[;\n]/).filter((token) => token.trim() !== '');
  return tokens.map((token) => {
    const [key, value, ...more] = token.split(':');
    if (key === undefined || value === undefined || more.length > 0) {
      throw new ParseError(`Bad value for resources, missing or extra ':' in ${token.trim()}`);
    }
    const match = /^\s*([^()\s]+)\s*(?:\(\s*([^()\s]+)\s*\))?\s*$/.exec(key);
    const name = match?.[1];
    if (name === undefined) {
      throw new ParseError(`Bad value for resources, mismatched parentheses in ${token.trim()}`);
    }
    return { ...resourceOf(name, value), ...reservedFor(match?.[2] ?? defaultRole) };
  });
}

function resourceOf(name: string, text: string): Resource {
  const value = parseValue(text);
  if (value.type === 'TEXT') {
    throw new ParseError(`Bad type for resource ${name} value ${text.trim()} type TEXT`);
  }
  if (value.type === 'SCALAR' && value.scalar.value < 0) {
    throw new ParseError(`Invalid scalar resource: value < 0, in ${name}:${text.trim()}`);
  }
  return { name, ...value };
}

function reservedFor(role: string): Pick<Resource, 'reservations'> {
  return role === '*' ? {} : { reservations: [{ type: 'STATIC', role }] };
}

function parseJson(text: string, defaultRole: string): Resources {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ParseError(`Failed to parse resources as JSON: ${String(error)}`);
  }
  if (!Array.isArray(json)) throw new ParseError('Expecting a JSON array of resources');
  return json.map((element) => {
    const { role, reservation, ...resource } = fromJson('Resource', element);
    const reservations = reservationsOf({ ...resource, role, reservation });
    if (reservations.length > 0) return { ...resource, reservations };
    return { ...resource, ...reservedFor(role ?? defaultRole) };
  });
}

/** What Mesos refuses in the flag: it exists only through calls to a running cluster. */
function checkFlag(resources: Resources, revocable: 'refused' | 'allowed'): void {
  const types = new Map<string, string>();
  for (const resource of resources) {
    if (resource.disk?.persistence !== undefined) {
      throw new ParseError('Persistent volumes cannot be specified at the command line');
    }
    if (resource.revocable !== undefined && revocable === 'refused') {
      throw new ParseError('Revocable resources cannot be specified at the command line');
    }
    if (isDynamicallyReserved(resource)) {
      throw new ParseError('Dynamic reservations cannot be specified at the command line');
    }
    const type = types.get(resource.name) ?? resource.type;
    if (type !== resource.type) {
      const name = `('${resource.name}')`;
      throw new ParseError(`Resources with the same name ${name} but different types`);
    }
    types.set(resource.name, type);
  }
}

/** `cpus:63.9; mem(reservations: [(DYNAMIC,eng,ops)]):64`, as Mesos prints it; `{}` for none. */
export function formatResources(resources: Resources): string {
  return resources.length === 0 ? '{}' : resources.map(formatResource).join('; ');
}

/** More than this of an agent's resources nobody reads; a framework can have hundreds of refusals at once. */
const SHOWN_MAX = 50;

/** The same, of a long list its beginning only: `cpus:1; mem:64; and 430 more`. */
export function formatBeginning(resources: Resources): string {
  const more = resources.length - SHOWN_MAX;
  if (more <= 0) return formatResources(resources);
  return `${formatResources(resources.slice(0, SHOWN_MAX))}; and ${more} more`;
}

/** One resource as in {@link formatResources}. */
export function formatResource(resource: Resource): string {
  const { name, allocation_info, disk, revocable, shared } = resource;
  const reservations = reservationsOf(resource).map(formatReservation).join(',');
  return [
    name,
    allocation_info === undefined ? '' : `(allocated: ${allocation_info.role ?? ''})`,
    reservations === '' ? '' : `(reservations: [${reservations}])`,
    disk === undefined ? '' : `[${formatDisk(disk)}]`,
    revocable === undefined ? '' : '{REV}',
    shared === undefined ? '' : '<SHARED>',
    ':',
    formatValue(resource),
  ].join('');
}

function formatValue({ type, scalar, ranges, set }: Resource): string {
  switch (type) {
    case 'SCALAR':
      return formatScalar(scalar?.value ?? 0);
    case 'RANGES':
      return formatRanges(ranges?.range ?? []);
    case 'SET':
      return formatSet(set?.item ?? []);
    case 'TEXT':
      return '';
  }
}

function formatReservation({ type, role, principal, labels }: ResourceReservationInfo): string {
  const parts = [type ?? 'UNKNOWN', role ?? ''];
  if (principal !== undefined) parts.push(principal);
  if (labels !== undefined) parts.push(formatLabels(labels));
  return `(${parts.join(',')})`;
}

function formatLabels({ labels = [] }: Labels): string {
  const pairs = labels.map(({ key, value }) => (value === undefined ? key : `${key}: ${value}`));
  return `{${pairs.join(', ')}}`;
}

function formatDisk({ source, persistence, volume }: ResourceDiskInfo): string {
  const parts = [];
  if (source !== undefined) parts.push(formatSource(source));
  if (persistence !== undefined) parts.push(persistence.id);
  const text = parts.join(',');
  return volume === undefined ? text : `${text}:${formatVolume(volume)}`;
}

function formatSource({ type, path, mount, vendor, id, profile }: ResourceDiskInfoSource): string {
  const isCsi = id !== undefined || profile !== undefined;
  const csi = isCsi ? `(${[vendor, id, profile].map((part) => part ?? '').join(',')})` : '';
  const root = path?.root ?? mount?.root;
  return `${type}${csi}${root === undefined ? '' : `:${root}`}`;
}

function formatVolume({ container_path, host_path, mode }: Volume): string {
  if (host_path === undefined) return container_path;
  return `${host_path}:${container_path}:${mode.toLowerCase()}`;
}
