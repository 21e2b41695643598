import type { UsageGroup } from '@factory/contracts';
import {
  HOUR_S,
  type UsageInterval,
  type UsageQuery,
  type UsageSums,
  type UsageSumsRow,
} from './store.ts';

const DAY_S = 24 * HOUR_S;
const NOTHING: UsageSums = {
  vcpuSeconds: 0,
  memoryMiBSeconds: 0,
  diskGiBSeconds: 0,
  machineSeconds: 0,
};

/** What these intervals have within a period, by groups, in their order. Pure. */
export function sumIntervals(
  intervals: readonly UsageInterval[],
  { fromS, toS, nowS, groups }: Pick<UsageQuery, 'fromS' | 'toS' | 'nowS' | 'groups'>,
): readonly UsageSumsRow[] {
  const rows = new Map<string, UsageSumsRow>();
  if (groups.length === 0) rows.set('', NOTHING);
  for (const interval of intervals) {
    const endS = Math.min(interval.toS, toS, nowS);
    let atS = Math.max(interval.fromS, fromS);
    while (atS < endS) {
      const nextS = Math.min(atS - (atS % HOUR_S) + HOUR_S, endS);
      const group = Object.assign({}, ...groups.map((each) => GROUP_OF[each](interval, atS)));
      const key = groups.length === 0 ? '' : JSON.stringify(Object.values(group));
      rows.set(key, add(rows.get(key) ?? { ...group, ...NOTHING }, interval, nextS - atS));
      atS = nextS;
    }
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

const GROUP_OF: Readonly<
  Record<UsageGroup, (interval: UsageInterval, atS: number) => Partial<UsageSumsRow>>
> = {
  hour: (_interval, atS) => ({ fromS: atS - (atS % HOUR_S) }),
  day: (_interval, atS) => ({ fromS: atS - (atS % DAY_S) }),
  project: ({ projectId }) => ({ projectId }),
  cluster: ({ clusterId }) => ({ clusterId }),
};

function add(row: UsageSumsRow, interval: UsageInterval, seconds: number): UsageSumsRow {
  const { vcpus, memoryMiB, diskGiB } = interval;
  return {
    ...row,
    vcpuSeconds: row.vcpuSeconds + vcpus * seconds,
    memoryMiBSeconds: row.memoryMiBSeconds + memoryMiB * seconds,
    diskGiBSeconds: row.diskGiBSeconds + diskGiB * seconds,
    machineSeconds: row.machineSeconds + (vcpus > 0 ? seconds : 0),
  };
}
