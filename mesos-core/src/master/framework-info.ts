import type { FrameworkInfo } from '../protocol/index.ts';
import { idProblem, roleNameProblem } from '../protocol/index.ts';
import { repeated } from './repeated.ts';
import { hasCapability, rolesOf } from './state.ts';

/** Mesos has no limit; but each role is a client of the allocator. */
const ROLES_MAX = 10_000;

/** Mesos keeps durations as 64-bit nanoseconds. */
const DURATION_SECONDS_MAX = 2 ** 63 / 1e9;

/** What is wrong with a framework's description, in Mesos' words, or `undefined`. Pure. */
export function frameworkInfoProblem(info: FrameworkInfo): string | undefined {
  return rolesProblem(info) ?? frameworkIdProblem(info) ?? failoverTimeoutProblem(info);
}

/** Why the roles to begin suppressed with can't be, or `undefined`. Pure. */
export function suppressedRolesProblem(
  info: FrameworkInfo,
  suppressed: readonly string[],
): string | undefined {
  const roles = new Set(rolesOf(info));
  const unknown = [...new Set(suppressed)].filter((role) => !roles.has(role));
  return unknown.length === 0
    ? undefined
    : `Suppressed roles ${formatNames(unknown)} are not contained in the set of roles`;
}

/** Why a framework may not be described anew like this, or `undefined`. Pure. */
export function frameworkUpdateProblem(
  before: FrameworkInfo,
  after: FrameworkInfo,
): string | undefined {
  if (before.principal !== after.principal) return principalProblem;
  const [from, to] = [before, after].map(({ checkpoint = false }) => checkpoint);
  if (before.user !== after.user) return unsupportedUpdate('user', before.user, after.user);
  return from === to ? undefined : unsupportedUpdate('checkpoint', String(from), String(to));
}

/** What somebody else with the framework's id is told. */
export const principalProblem = "Changing framework's principal is not allowed.";

function unsupportedUpdate(field: string, from: string, to: string): string {
  const attempt = `attempted to update from '${from}' to '${to}'`;
  return `Updating 'FrameworkInfo.${field}' is unsupported; ${attempt}`;
}

/** The new description with those fields of the old one that never change. Pure. */
export function withImmutableFields(before: FrameworkInfo, after: FrameworkInfo): FrameworkInfo {
  const { user, checkpoint } = before;
  return { ...after, user, ...(checkpoint === after.checkpoint ? {} : { checkpoint }) };
}

function rolesProblem(info: FrameworkInfo): string | undefined {
  const { role, roles = [] } = info;
  if (!hasCapability(info, 'MULTI_ROLE')) {
    if (roles.length > 0) {
      return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
    }
    const invalid = role === undefined ? undefined : roleNameProblem(role);
    return invalid && `'FrameworkInfo.role' is not a valid role: ${invalid}`;
  }
  if (role !== undefined) {
    return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
  }
  if (roles.length > ROLES_MAX) return `'FrameworkInfo.roles' has more than ${ROLES_MAX} items`;
  const duplicates = repeated(roles);
  if (duplicates.length > 0) {
    return `'FrameworkInfo.roles' contains duplicate items: ${formatNames(duplicates)}`;
  }
  const invalid = roles.map(roleNameProblem).find((problem) => problem !== undefined);
  return invalid && `'FrameworkInfo.roles' contains invalid role: ${invalid}`;
}

function frameworkIdProblem({ id }: FrameworkInfo): string | undefined {
  return id === undefined || id.value === '' ? undefined : idProblem(id.value);
}

function failoverTimeoutProblem({ failover_timeout = 0 }: FrameworkInfo): string | undefined {
  const isDuration =
    Math.abs(failover_timeout) <= DURATION_SECONDS_MAX && !Number.isNaN(failover_timeout);
  return isDuration ? undefined : `The framework failover_timeout (${failover_timeout}) is invalid`;
}

/** As Mesos prints a set. */
function formatNames(names: readonly string[]): string {
  return `{ ${[...new Set(names)].toSorted().join(', ')} }`;
}
