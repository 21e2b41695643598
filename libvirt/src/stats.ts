import type { Rpc } from './rpc.ts';
import { type DomainStatus, statusOf } from './states.ts';
import { integerOf, listOf, type TypedParams, textOf, typedParamsOf } from './typed-params.ts';
import type { CallOptions, DomainRef } from './types.ts';
import { domainOf, flagsOf, wireDomain } from './wire.ts';

/** What to collect and of whom. */
export interface DomainStatsOptions extends CallOptions {
  /** Default: `state`, `cpu`, `balloon`, `vcpu`, `net`, `block`. */
  readonly groups?: readonly StatsGroup[];
  /** Only these domains; default all. One that is gone makes the call fail with `NO_DOMAIN`. */
  readonly domains?: readonly DomainRef[];
  /** Without `domains`: only the active or inactive ones. */
  readonly only?: 'active' | 'inactive';
  /** Leaves out what needs a domain that is busy with another job, rather than wait for it. */
  readonly noWait?: boolean;
}

/** A family of statistics. */
export type StatsGroup = 'state' | 'cpu' | 'balloon' | 'vcpu' | 'net' | 'block';

/** One domain's statistics; what was not asked for or does not apply is undefined or empty. */
export interface DomainStats {
  readonly domain: DomainRef;
  readonly status: DomainStatus | undefined;
  readonly cpu: CpuStats | undefined;
  readonly balloon: BalloonStats | undefined;
  readonly vcpus: readonly VcpuStats[];
  readonly nets: readonly NetStats[];
  readonly blocks: readonly BlockStats[];
  /** All libvirt said, by its own names, e.g. `balloon.rss`. */
  readonly params: TypedParams;
}

/** CPU time of the whole domain since it started. */
export interface CpuStats {
  readonly timeNs: bigint;
  readonly userNs: bigint | undefined;
  readonly systemNs: bigint | undefined;
}

/** Memory given to the guest, and what its QEMU has resident. */
export interface BalloonStats {
  readonly currentKiB: bigint;
  readonly maximumKiB: bigint;
  readonly residentKiB: bigint | undefined;
  /** Only with a balloon driver in the guest. */
  readonly unusedKiB: bigint | undefined;
  readonly availableKiB: bigint | undefined;
}

/** A virtual CPU. */
export interface VcpuStats {
  readonly index: number;
  readonly state: 'offline' | 'running' | 'blocked' | 'unknown';
  readonly timeNs: bigint | undefined;
}

/** A network interface, seen from the guest. */
export interface NetStats {
  readonly name: string;
  readonly rxBytes: bigint;
  readonly rxPackets: bigint;
  readonly rxErrors: bigint;
  readonly rxDrops: bigint;
  readonly txBytes: bigint;
  readonly txPackets: bigint;
  readonly txErrors: bigint;
  readonly txDrops: bigint;
}

/** A disk. */
export interface BlockStats {
  readonly name: string;
  readonly path: string | undefined;
  readonly readRequests: bigint;
  readonly readBytes: bigint;
  readonly writeRequests: bigint;
  readonly writeBytes: bigint;
  readonly allocationBytes: bigint | undefined;
  readonly capacityBytes: bigint | undefined;
  readonly physicalBytes: bigint | undefined;
}

/** virDomainStatsTypes. */
const GROUP_BITS: Readonly<Record<StatsGroup, number>> = {
  state: 1,
  cpu: 2,
  balloon: 4,
  vcpu: 8,
  net: 16,
  block: 32,
};
const ALL_GROUPS: readonly StatsGroup[] = ['state', 'cpu', 'balloon', 'vcpu', 'net', 'block'];
/** virVcpuState. */
const VCPU_STATES = ['offline', 'running', 'blocked'] as const;

/** Statistics of many domains in one call. @throws as every call does. */
export async function collectStats(
  rpc: Rpc,
  options: DomainStatsOptions = {},
): Promise<readonly DomainStats[]> {
  const stats = (options.groups ?? ALL_GROUPS).reduce((sum, group) => sum | GROUP_BITS[group], 0);
  // virConnectGetAllDomainStatsFlags.
  const flags = flagsOf([
    [1, options.only === 'active'],
    [2, options.only === 'inactive'],
    [2 ** 29, options.noWait],
  ]);
  const domains = (options.domains ?? []).map(wireDomain);
  // To libvirt an empty list means "all", which is not what an empty list of ours means.
  if (options.domains?.length === 0) return [];
  const args = { domains, stats, flags };
  const { records } = await rpc.call('connectGetAllDomainStats', args, options);
  return records.map((record) => statsOf(domainOf(record.domain), typedParamsOf(record.params)));
}

/** The typed view of what libvirt said of a domain. Names: virConnectGetAllDomainStats. */
export function statsOf(domain: DomainRef, params: TypedParams): DomainStats {
  const state = integerOf(params, 'state.state');
  const reason = integerOf(params, 'state.reason');
  return {
    domain: { name: domain.name, uuid: domain.uuid },
    status: state === undefined ? undefined : statusOf(Number(state), Number(reason ?? 0)),
    cpu: cpuOf(params),
    balloon: balloonOf(params),
    // `vcpu.current` of `vcpu.maximum` exist; a hot-plugged guest may have gaps in between.
    vcpus: listOf(params, 'vcpu.maximum', (index) => vcpuOf(params, index)),
    nets: listOf(params, 'net.count', (index) => netOf(params, index)),
    blocks: listOf(params, 'block.count', (index) => blockOf(params, index)),
    params,
  };
}

function cpuOf(params: TypedParams): CpuStats | undefined {
  const timeNs = integerOf(params, 'cpu.time');
  if (timeNs === undefined) return undefined;
  return {
    timeNs,
    userNs: integerOf(params, 'cpu.user'),
    systemNs: integerOf(params, 'cpu.system'),
  };
}

function balloonOf(params: TypedParams): BalloonStats | undefined {
  const currentKiB = integerOf(params, 'balloon.current');
  const maximumKiB = integerOf(params, 'balloon.maximum');
  if (currentKiB === undefined || maximumKiB === undefined) return undefined;
  return {
    currentKiB,
    maximumKiB,
    residentKiB: integerOf(params, 'balloon.rss'),
    unusedKiB: integerOf(params, 'balloon.unused'),
    availableKiB: integerOf(params, 'balloon.available'),
  };
}

function vcpuOf(params: TypedParams, index: number): VcpuStats | undefined {
  const state = integerOf(params, `vcpu.${index}.state`);
  if (state === undefined) return undefined;
  return {
    index,
    state: VCPU_STATES[Number(state)] ?? 'unknown',
    timeNs: integerOf(params, `vcpu.${index}.time`),
  };
}

function netOf(params: TypedParams, index: number): NetStats | undefined {
  const name = textOf(params, `net.${index}.name`);
  if (name === undefined) return undefined;
  const read = (field: string): bigint => integerOf(params, `net.${index}.${field}`) ?? 0n;
  return {
    name,
    rxBytes: read('rx.bytes'),
    rxPackets: read('rx.pkts'),
    rxErrors: read('rx.errs'),
    rxDrops: read('rx.drop'),
    txBytes: read('tx.bytes'),
    txPackets: read('tx.pkts'),
    txErrors: read('tx.errs'),
    txDrops: read('tx.drop'),
  };
}

function blockOf(params: TypedParams, index: number): BlockStats | undefined {
  const name = textOf(params, `block.${index}.name`);
  if (name === undefined) return undefined;
  const read = (field: string): bigint | undefined => integerOf(params, `block.${index}.${field}`);
  return {
    name,
    path: textOf(params, `block.${index}.path`),
    readRequests: read('rd.reqs') ?? 0n,
    readBytes: read('rd.bytes') ?? 0n,
    writeRequests: read('wr.reqs') ?? 0n,
    writeBytes: read('wr.bytes') ?? 0n,
    allocationBytes: read('allocation'),
    capacityBytes: read('capacity'),
    physicalBytes: read('physical'),
  };
}
