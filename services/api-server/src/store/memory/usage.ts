import { USAGE_OF_STATE } from '@factory/contracts';
import { OPEN, type UsageInterval, type UsageScope, type UsageStore } from '../../usage/store.ts';
import { sumIntervals } from '../../usage/sums.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { MemoryDatabase } from './database.ts';

type Amounts = Pick<UsageInterval, 'vcpus' | 'memoryMiB' | 'diskGiB'>;

/** The use of all machines: what the trigger of migration 0071 writes, in an array. */
export class UsageLedger {
  readonly intervals: UsageInterval[] = [];
  readonly #openAt = new Map<string, number>();
  /** When the exchange came whose reports are being taken; null outside of one. */
  nowMs: number | null = null;

  note(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before === undefined || after === undefined) return;
    const was = amountsOf(before);
    const is = amountsOf(after);
    const isSame =
      JSON.stringify(was) === JSON.stringify(is) &&
      (is === undefined || before.clusterId === after.clusterId);
    if (isSame) return;
    const nowMs = this.nowMs ?? after.stateSinceMs;
    const saidMs = before.state === after.state ? nowMs : Math.min(after.stateSinceMs, nowMs);
    const atS = Math.floor(Math.max(before.stateSinceMs, saidMs) / 1000);
    const fromS = this.#end(after.id, atS) ?? atS;
    const { id: vmId, projectId, clusterId, batchId } = after;
    if (is === undefined || clusterId === null) return;
    const id = this.intervals.length + 1;
    this.#openAt.set(vmId, this.intervals.length);
    this.intervals.push({ id, projectId, clusterId, batchId, vmId, fromS, toS: OPEN, ...is });
  }

  #end(vmId: string, atS: number): number | undefined {
    const index = this.#openAt.get(vmId) ?? -1;
    const open = this.intervals[index];
    if (open === undefined) return undefined;
    const toS = Math.max(open.fromS, atS);
    this.intervals[index] = { ...open, toS };
    this.#openAt.delete(vmId);
    return toS;
  }
}

function amountsOf(vm: VmRecord): Amounts | undefined {
  const { vcpus, memoryMiB, diskGiB } = vm;
  const kind = USAGE_OF_STATE[vm.state];
  if (kind === 'all') return { vcpus, memoryMiB, diskGiB };
  const hasDisk = kind === 'disk' || (kind === 'diskOfHost' && vm.hostName !== null);
  return hasDisk ? { vcpus: 0, memoryMiB: 0, diskGiB } : undefined;
}

/** See {@link UsageStore}; sums are made of the intervals at every reading. */
export function createMemoryUsage(db: MemoryDatabase): UsageStore {
  const { intervals } = db.usage;
  return {
    rollUp: async () => 0,
    sums: async (query) =>
      sumIntervals(
        intervals.filter((each) => isIn(db, each, query.scope)),
        query,
      ).slice(0, query.limit),
    records: async ({ projectId, fromS, toS, after, limit }) =>
      intervals
        .filter(
          (each) =>
            each.projectId === projectId &&
            each.toS > fromS &&
            each.fromS < toS &&
            (after === undefined || compare(each, after) > 0),
        )
        .sort(compare)
        .slice(0, limit),
    cluster: async (nameOrId, owner) => {
      const found = [...db.clusters.values()].find(
        ({ id, name }) => id === nameOrId || name === nameOrId,
      );
      return owner === undefined ? found : undefined;
    },
    // What is in memory does not live long.
    forget: async () => 0,
  };
}

function compare(
  a: { readonly toS: number; readonly id: number },
  b: { readonly toS: number; readonly id: number },
): number {
  return a.toS - b.toS || a.id - b.id;
}

function isIn(db: MemoryDatabase, interval: UsageInterval, scope: UsageScope): boolean {
  if ('projectId' in scope) return interval.projectId === scope.projectId;
  if ('clusterId' in scope) return interval.clusterId === scope.clusterId;
  const project = [...db.projects.values()].find(({ id }) => id === interval.projectId);
  return project?.organisationId === scope.organisationId;
}
