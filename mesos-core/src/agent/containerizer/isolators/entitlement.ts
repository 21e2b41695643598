import { type Resources, scalarAmount } from '../../../protocol/index.ts';

const MIB = 1024 * 1024;

/** What a container may use, in the units of its resources; `Infinity` is without bound. */
export interface Entitlement {
  readonly cpus: number;
  readonly cpusLimit: number;
  /** Others come first: the CPUs are only lent. */
  readonly areCpusRevocable: boolean;
  readonly memBytes: number;
  readonly memLimitBytes: number;
  readonly diskBytes: number;
}

/** Request and limit of each resource; as in Mesos a limit that isn't given is the request. Pure. */
export function entitlementOf(container: {
  readonly resources: Resources;
  readonly limits?: Readonly<Record<string, number>> | undefined;
}): Entitlement {
  const { resources, limits = {} } = container;
  const cpus = scalarAmount(resources, 'cpus');
  const mem = scalarAmount(resources, 'mem');
  return {
    cpus,
    cpusLimit: limits.cpus ?? cpus,
    areCpusRevocable: resources.some(
      ({ name, revocable }) => name === 'cpus' && revocable !== undefined,
    ),
    memBytes: mem * MIB,
    memLimitBytes: (limits.mem ?? mem) * MIB,
    diskBytes: scalarAmount(resources, 'disk') * MIB,
  };
}

/** A number of bytes in the greatest unit that it is a whole number of, as Mesos prints them. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value > 0 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value}${units[unit]}`;
}
