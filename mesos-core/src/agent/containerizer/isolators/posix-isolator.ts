import { listProcesses, type ProcessEntry, processTree } from '../launcher/process-tree.ts';
import { entitlementOf } from './entitlement.ts';
import type { Isolator } from './isolator.ts';

/** The kernel tells CPU times in these, on all architectures (proc(5), `_SC_CLK_TCK`). */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** `posix/cpu` and `posix/mem`: no limits, but what a container uses is measured in /proc. */
export function createPosixIsolator(measures: {
  readonly cpu: boolean;
  readonly mem: boolean;
  /** Takes a list of the machine's processes; another one only in tests. */
  readonly list?: () => Promise<readonly ProcessEntry[]>;
}): Isolator {
  const { cpu, mem, list = listProcesses } = measures;
  return {
    name: 'posix',
    async usage(container, pid) {
      const { cpusLimit, memLimitBytes } = entitlementOf(container);
      const processes = processTree(await list(), new Set([pid]));
      const sum = (field: 'userTicks' | 'systemTicks' | 'residentPages' | 'threads'): number =>
        processes.reduce((total, each) => total + each[field], 0);
      return {
        processes: processes.length,
        threads: sum('threads'),
        ...(cpu
          ? {
              cpus_user_time_secs: sum('userTicks') / TICKS_PER_SECOND,
              cpus_system_time_secs: sum('systemTicks') / TICKS_PER_SECOND,
              ...(Number.isFinite(cpusLimit) ? { cpus_limit: cpusLimit } : {}),
            }
          : {}),
        ...(mem
          ? {
              mem_rss_bytes: sum('residentPages') * PAGE_BYTES,
              ...(Number.isFinite(memLimitBytes) ? { mem_limit_bytes: memLimitBytes } : {}),
            }
          : {}),
      };
    },
  };
}
