import type { ResourceStatistics } from '../../../../protocol/index.ts';
import type { CgroupVersion, Subsystem } from './controls.ts';

/** Reads a control file of a container; empty when there is none. */
export type ReadControl = (subsystem: Subsystem, file: string) => Promise<string>;

/** The kernel tells CPU times in these, on all architectures (proc(5), `_SC_CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** A file of lines `<name> <number>`. Pure. */
export function parseFlatKeyed(text: string): ReadonlyMap<string, number> {
  const pairs = text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((words) => words.length === 2);
  return new Map(pairs.map(([name = '', value]) => [name, Number(value)]));
}

/** CPU time and throttling of a container. */
export async function cpuStatistics(
  version: CgroupVersion,
  read: ReadControl,
): Promise<Partial<ResourceStatistics>> {
  const stat = parseFlatKeyed(await read('cpu', 'cpu.stat'));
  const periods = {
    cpus_nr_periods: stat.get('nr_periods'),
    cpus_nr_throttled: stat.get('nr_throttled'),
  };
  if (version === 2) {
    // Every cgroup has cpu.stat, whether the controller is on or not.
    const times = stat.size > 0 ? stat : parseFlatKeyed(await read('cpuacct', 'cpu.stat'));
    return {
      ...periods,
      cpus_user_time_secs: (times.get('user_usec') ?? 0) / 1e6,
      cpus_system_time_secs: (times.get('system_usec') ?? 0) / 1e6,
      cpus_throttled_time_secs: seconds(stat.get('throttled_usec'), 1e6),
    };
  }
  const times = parseFlatKeyed(await read('cpuacct', 'cpuacct.stat'));
  return {
    ...periods,
    cpus_user_time_secs: (times.get('user') ?? 0) / TICKS_PER_SECOND,
    cpus_system_time_secs: (times.get('system') ?? 0) / TICKS_PER_SECOND,
    cpus_throttled_time_secs: seconds(stat.get('throttled_time'), 1e9),
  };
}

/** Memory of a container, in the terms of Mesos. */
export async function memoryStatistics(
  version: CgroupVersion,
  read: ReadControl,
): Promise<Partial<ResourceStatistics>> {
  const stat = parseFlatKeyed(await read('memory', 'memory.stat'));
  if (version === 2) {
    return {
      mem_total_bytes: Number(await read('memory', 'memory.current')),
      mem_cache_bytes: stat.get('file'),
      mem_file_bytes: stat.get('file'),
      mem_rss_bytes: stat.get('anon'),
      mem_anon_bytes: stat.get('anon'),
      mem_mapped_file_bytes: stat.get('file_mapped'),
      mem_unevictable_bytes: stat.get('unevictable'),
      mem_swap_bytes: Number(await read('memory', 'memory.swap.current')),
    };
  }
  const withSwap = await read('memory', 'memory.memsw.usage_in_bytes');
  return {
    mem_total_bytes: Number(await read('memory', 'memory.usage_in_bytes')),
    ...(withSwap === '' ? {} : { mem_total_memsw_bytes: Number(withSwap) }),
    mem_cache_bytes: stat.get('total_cache'),
    mem_file_bytes: stat.get('total_cache'),
    mem_rss_bytes: stat.get('total_rss'),
    mem_anon_bytes: stat.get('total_rss'),
    mem_mapped_file_bytes: stat.get('total_mapped_file'),
    mem_unevictable_bytes: stat.get('total_unevictable'),
    mem_swap_bytes: stat.get('total_swap'),
  };
}

/** How often the kernel has killed a process of the container for want of memory. */
export async function oomKills(version: CgroupVersion, read: ReadControl): Promise<number> {
  const file = version === 2 ? 'memory.events' : 'memory.oom_control';
  return parseFlatKeyed(await read('memory', file)).get('oom_kill') ?? 0;
}

/** The most memory that the container has ever used. */
export async function peakMemoryBytes(version: CgroupVersion, read: ReadControl): Promise<number> {
  // memory.peak came with Linux 5.19; before, the present use has to do.
  const files = version === 2 ? ['memory.peak', 'memory.current'] : ['memory.max_usage_in_bytes'];
  for (const file of files) {
    const text = await read('memory', file);
    if (text !== '') return Number(text);
  }
  return 0;
}

function seconds(value: number | undefined, perSecond: number): number | undefined {
  return value === undefined ? undefined : value / perSecond;
}
