import type { Quota } from '../../allocator/index.ts';
import {
  formatScalar,
  fromUnits,
  type Quantities,
  type QuotaConfig,
  type QuotaRequest,
  type QuotaStatus,
  type Resource,
  resourceFormProblem,
  roleNameProblem,
  toRefinedFormat,
  toUnits,
  type ValueScalar,
} from '../../protocol/index.ts';

/** Of memory and disk, in megabytes: an exabyte. */
const MEGABYTES_MAX = 1024 ** 4;
/** Of everything else: a trillion. */
const COUNT_MAX = 1e12;

type Scalars = Readonly<Record<string, ValueScalar>>;

/** A configuration as the allocator wants it. Pure. */
export function quotaOf({ guarantees = {}, limits = {} }: QuotaConfig): Quota {
  return { guarantees: quantitiesOf(guarantees), limits: quantitiesOf(limits) };
}

/** What is wrong with a configuration by itself, in Mesos' words, or `undefined`. Pure. */
export function configProblem({ role, guarantees = {}, limits = {} }: QuotaConfig) {
  const invalidRole = roleNameProblem(role);
  if (invalidRole !== undefined) return `Invalid 'QuotaConfig.role': ${invalidRole}`;
  const tooLarge =
    sizeProblem('guarantees', guarantees) ??
    sizeProblem('limits', limits) ??
    valueProblem('guarantee', guarantees) ??
    valueProblem('limit', limits);
  if (tooLarge !== undefined) return tooLarge;
  if (isWithin(quantitiesOf(guarantees), quantitiesOf(limits))) return undefined;
  return (
    `'QuotaConfig.guarantees' ${formatMap(guarantees)} is not contained within the ` +
    `'QuotaConfig.limits' ${formatMap(limits)}`
  );
}

function sizeProblem(field: string, scalars: Scalars): string | undefined {
  for (const [name, { value }] of Object.entries(scalars)) {
    const isSize = name === 'mem' || name === 'disk';
    const max = isSize ? MEGABYTES_MAX : COUNT_MAX;
    if (!(value > max)) continue;
    const what = `{'${name}': ${formatScalar(value)}}`;
    const most = isSize ? '1 exabyte' : '1 trillion';
    const why = `values greater than ${most} (${max}) are not supported`;
    return `Invalid 'QuotaConfig.${field}': ${what} is invalid: ${why}`;
  }
  return undefined;
}

function valueProblem(what: string, scalars: Scalars): string | undefined {
  for (const [name, { value }] of Object.entries(scalars)) {
    const problem = Number.isNaN(value)
      ? 'NaN not supported'
      : value < 0
        ? 'Negative values not supported'
        : undefined;
    if (problem === undefined) continue;
    return `Invalid ${what} configuration {'${name}': ${formatScalar(value)}}: ${problem}`;
  }
  return undefined;
}

/** All quotas with some of them replaced, or removed where nothing is left of them. Pure. */
export function withQuotas(
  quotas: readonly QuotaConfig[],
  changes: readonly QuotaConfig[],
): readonly QuotaConfig[] {
  const byRole = new Map([...quotas, ...changes].map((config) => [config.role, config]));
  return [...byRole.values()].filter(({ guarantees = {}, limits = {} }) => {
    return Object.keys(limits).length > 0 || isAnyPositive(quantitiesOf(guarantees));
  });
}

/**
 * Why the guarantees can't stand together, in Mesos' words, or `undefined`: what a role is guaranteed
 * has to be enough for what its children are. Pure.
 */
export function treeProblem(quotas: readonly QuotaConfig[]): string | undefined {
  const guarantees = new Map(quotas.map((config) => [config.role, quotaOf(config).guarantees]));
  const children = Map.groupBy(guarantees, ([role]) => parentOf(role));
  for (const [parent, ofChildren] of children) {
    if (parent === undefined) continue;
    const own = guarantees.get(parent) ?? {};
    const sum = sumOf(ofChildren.map(([, each]) => each));
    if (contains(own, sum)) continue;
    return (
      `Invalid quota configuration. Parent role '${parent}' with guarantees ` +
      `(${formatQuantities(own)}) does not contain the sum of its children's guarantees ` +
      `(${formatQuantities(sum)})`
    );
  }
  return undefined;
}

/** What all roles together are guaranteed: children share what their parents have. Pure. */
export function totalGuarantees(quotas: readonly QuotaConfig[]): Quantities {
  const top = quotas.filter(({ role }) => parentOf(role) === undefined);
  return sumOf(top.map((config) => quotaOf(config).guarantees));
}

/** What a role may have, from a request in the older form: its guarantee is its limit, too. Pure. */
export function configOfRequest({ role = '', guarantee = [] }: QuotaRequest): QuotaConfig {
  const scalars = Object.fromEntries(
    guarantee.map(({ name, scalar = { value: 0 } }) => [name, scalar]),
  );
  return { role, guarantees: scalars, limits: scalars };
}

/** What is wrong with a request in the older form, in Mesos' words, or `undefined`. Pure. */
export function requestProblem({ role, guarantee = [] }: QuotaRequest): string | undefined {
  const resources = toRefinedFormat(guarantee);
  const invalid = resourceFormProblem(resources);
  if (invalid !== undefined) return `QuotaInfo with invalid resource: ${invalid}`;
  if (role === undefined) return 'QuotaInfo must specify a role';
  const invalidRole = roleNameProblem(role);
  if (invalidRole !== undefined) return `QuotaInfo with invalid role: ${invalidRole}`;
  if (resources.length === 0) return "QuotaInfo with empty 'guarantee'";
  const names = new Set<string>();
  for (const resource of resources) {
    const problem = guaranteeProblem(resource);
    if (problem !== undefined) return problem;
    const { name } = resource;
    if (names.has(name)) return `QuotaInfo contains duplicate resource name '${name}'`;
    names.add(name);
  }
  return undefined;
}

function guaranteeProblem({ reservations = [], disk, revocable, type }: Resource) {
  if (reservations.length > 0) return 'QuotaInfo must not contain any ReservationInfo';
  if (disk !== undefined) return 'QuotaInfo must not contain DiskInfo';
  if (revocable !== undefined) return 'QuotaInfo must not contain RevocableInfo';
  return type === 'SCALAR' ? undefined : 'QuotaInfo must not include non-scalar resources';
}

/** All quotas as operators see them, in the older form too. Pure. */
export function quotaStatus(quotas: readonly QuotaConfig[]): QuotaStatus {
  if (quotas.length === 0) return {};
  const configs = quotas.toSorted((a, b) => (a.role < b.role ? -1 : 1));
  const infos = configs.map((config) => {
    const guarantee = Object.entries(quotaOf(config).guarantees)
      .filter(([, value]) => value > 0)
      .map(([name, value]) => ({ name, type: 'SCALAR' as const, scalar: { value } }));
    return { role: config.role, ...(guarantee.length === 0 ? {} : { guarantee }) };
  });
  return { infos, configs };
}

/** Whether `a` has at least as much of everything as `b`. Pure. */
export function contains(a: Quantities, b: Quantities): boolean {
  return Object.entries(b).every(([name, value]) => toUnits(value) <= toUnits(a[name] ?? 0));
}

/** Whether the quantities keep to limits; what is not named there is not limited. Pure. */
export function isWithin(quantities: Quantities, limits: Quantities): boolean {
  return Object.entries(limits).every(
    ([name, limit]) => toUnits(quantities[name] ?? 0) <= toUnits(limit),
  );
}

/** Whether there is any of anything. Pure. */
export function isAnyPositive(quantities: Quantities): boolean {
  return Object.values(quantities).some((value) => toUnits(value) > 0);
}

/** Adds up. Pure. */
export function sumOf(all: readonly Quantities[]): Quantities {
  const units = new Map<string, number>();
  for (const [name, value] of all.flatMap(Object.entries<number>)) {
    units.set(name, (units.get(name) ?? 0) + toUnits(value));
  }
  return Object.fromEntries([...units].map(([name, count]) => [name, fromUnits(count)]));
}

/** Of each the smaller amount; what `bounds` doesn't name stays as it is. Pure. */
export function smallerOf(quantities: Quantities, bounds: Quantities): Quantities {
  return Object.fromEntries(
    Object.entries(quantities).map(([name, value]) => [
      name,
      Math.min(value, bounds[name] ?? value),
    ]),
  );
}

/** As Mesos prints them: `cpus:1; mem:512`, or `{}`. Pure. */
export function formatQuantities(quantities: Quantities): string {
  const texts = Object.entries(quantities)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${formatScalar(value)}`);
  return texts.length === 0 ? '{}' : texts.join('; ');
}

function formatMap(scalars: Scalars): string {
  const texts = Object.entries(scalars).map(
    ([name, { value }]) => `${name}: ${formatScalar(value)}`,
  );
  return `{${texts.join(', ')}}`;
}

function quantitiesOf(scalars: Scalars): Quantities {
  return Object.fromEntries(Object.entries(scalars).map(([name, { value }]) => [name, value]));
}

function parentOf(role: string): string | undefined {
  const slash = role.lastIndexOf('/');
  return slash < 0 ? undefined : role.slice(0, slash);
}
