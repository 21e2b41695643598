import type { Entitlement } from '../entitlement.ts';

/** The interface of the kernel: a tree for each subsystem, or one for all. */
export type CgroupVersion = 1 | 2;

/** A value for a control file of a cgroup. */
export interface Control {
  readonly subsystem: Subsystem;
  readonly file: string;
  readonly value: string;
}

/** What cgroups limit or measure, by the names of version 1; in version 2 all are one tree. */
export type Subsystem = 'cpu' | 'cpuacct' | 'memory' | 'pids' | 'freezer';

/** Mesos' constants (src/slave/containerizer/mesos/isolators/cgroups/constants.hpp). */
const SHARES_PER_CPU = 1024;
const SHARES_PER_REVOCABLE_CPU = 10;
const MIN_SHARES = 2;
const CFS_PERIOD_US = 100_000;
const MIN_CFS_QUOTA_US = 1000;
const MIN_MEMORY_BYTES = 32 * 1024 * 1024;

/** Bounds of cpu.weight, and of the shares that they stand for. */
const MAX_SHARES = 262_144;
const MAX_WEIGHT = 10_000;

/** How an agent limits containers by cgroups. */
export interface CgroupSettings {
  /** CPU limits hold even when the machine is idle; without, cpus are only weights. */
  readonly enableCfs: boolean;
  /** Swap counts against the memory limit. */
  readonly limitSwap: boolean;
  readonly pidsMax: number | undefined;
}

/** Control files and values that give a container what it is entitled to. Pure. */
export function controlsFor(
  version: CgroupVersion,
  subsystems: ReadonlySet<Subsystem>,
  entitlement: Entitlement,
  settings: CgroupSettings,
): readonly Control[] {
  return [
    ...(subsystems.has('cpu') ? cpuControls(version, entitlement, settings) : []),
    ...(subsystems.has('memory') ? memoryControls(version, entitlement, settings) : []),
    ...(subsystems.has('pids') && settings.pidsMax !== undefined
      ? [{ subsystem: 'pids' as const, file: 'pids.max', value: String(settings.pidsMax) }]
      : []),
  ];
}

function cpuControls(
  version: CgroupVersion,
  { cpus, cpusLimit, areCpusRevocable }: Entitlement,
  { enableCfs }: CgroupSettings,
): readonly Control[] {
  const subsystem = 'cpu';
  const perCpu = areCpusRevocable ? SHARES_PER_REVOCABLE_CPU : SHARES_PER_CPU;
  const shares = Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor(cpus * perCpu)));
  const isBounded = enableCfs && Number.isFinite(cpusLimit);
  const quotaUs = Math.max(MIN_CFS_QUOTA_US, Math.floor(cpusLimit * CFS_PERIOD_US));
  if (version === 2) {
    const max = `${isBounded ? quotaUs : 'max'} ${CFS_PERIOD_US}`;
    const weight = { subsystem, file: 'cpu.weight', value: String(weightOf(shares)) } as const;
    return enableCfs ? [weight, { subsystem, file: 'cpu.max', value: max }] : [weight];
  }
  const weight = { subsystem, file: 'cpu.shares', value: String(shares) } as const;
  if (!enableCfs) return [weight];
  return [
    weight,
    { subsystem, file: 'cpu.cfs_period_us', value: String(CFS_PERIOD_US) },
    { subsystem, file: 'cpu.cfs_quota_us', value: String(isBounded ? quotaUs : -1) },
  ];
}

/** The kernel's own proportion between shares and weights (and that of systemd and runc). */
function weightOf(shares: number): number {
  const range = MAX_SHARES - MIN_SHARES;
  return 1 + Math.floor(((shares - MIN_SHARES) * (MAX_WEIGHT - 1)) / range);
}

function memoryControls(
  version: CgroupVersion,
  { memBytes, memLimitBytes }: Entitlement,
  { limitSwap }: CgroupSettings,
): readonly Control[] {
  const subsystem = 'memory';
  const soft = Math.max(MIN_MEMORY_BYTES, Math.floor(memBytes));
  const hard = Math.max(MIN_MEMORY_BYTES, Math.floor(memLimitBytes));
  const none = version === 2 ? 'max' : '-1';
  const hardText = Number.isFinite(hard) ? String(hard) : none;
  if (version === 2) {
    return [
      { subsystem, file: 'memory.low', value: String(soft) },
      { subsystem, file: 'memory.max', value: hardText },
      ...(limitSwap ? [{ subsystem, file: 'memory.swap.max', value: '0' } as const] : []),
    ];
  }
  return [
    { subsystem, file: 'memory.soft_limit_in_bytes', value: String(soft) },
    { subsystem, file: 'memory.limit_in_bytes', value: hardText },
    ...(limitSwap
      ? [{ subsystem, file: 'memory.memsw.limit_in_bytes', value: hardText } as const]
      : []),
  ];
}
