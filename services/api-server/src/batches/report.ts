import type { BatchReport, ClusterId, VmState } from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';
import type { BatchRecord } from './store.ts';

/** What has become of a machine. */
export type Fate = 'made' | 'failed' | 'withdrawn' | 'unplaced';

/** Machines of one fate, in one cluster, for one reason. */
export interface ReportTally {
  readonly clusterId: ClusterId | null;
  readonly clusterName: string | null;
  readonly fate: Fate;
  readonly reason: string | null;
  readonly machines: number;
  readonly vcpus: number;
}

/** What a report is made of. */
export interface ReportInput {
  readonly batch: Pick<BatchRecord, 'id' | 'name' | 'size' | 'createdAtMs'>;
  readonly failure: string | null;
  readonly tallies: readonly ReportTally[];
  /** The first, the middle, the 95th of a hundred and the last, in milliseconds; null: none. */
  readonly startedAfterMs: readonly number[] | null;
}

/** In these a machine has come to rest, as far as its making goes. */
export const REST_STATES: readonly VmState[] = [
  'running',
  'stopped',
  'suspended',
  'failed',
  'deleted',
  'unreachable',
];

/** What has become of a machine; the stores' statements say the same. */
export function fateOf({ state, timeline, desired }: VmRecord): Fate {
  if (state === 'failed') return 'failed';
  if (timeline.started !== undefined || MADE_STATES.includes(state)) return 'made';
  return desired === 'deleted' ? 'withdrawn' : 'unplaced';
}

/** States that only a machine comes to that was powered on. */
export const MADE_STATES: readonly VmState[] = ['running', 'stopped', 'suspended'];

/** The percentiles that a report has of durations. */
export const REPORT_PERCENTILES = [0, 0.5, 0.95, 1] as const;

/** The report of a batch. Pure. */
export function buildReport(input: ReportInput, nowMs: number, final: boolean): BatchReport {
  const { batch, failure, tallies, startedAfterMs } = input;
  const planned = sumOf(tallies);
  const asked = askedOf(batch, planned);
  const unplaced = sumOf(tallies.filter(({ fate }) => fate === 'unplaced'));
  return {
    ...{ batchId: batch.id, name: batch.name, final, failure },
    acceptedAt: new Date(batch.createdAtMs).toISOString(),
    at: new Date(nowMs).toISOString(),
    asked,
    made: sumOf(tallies.filter(({ fate }) => fate === 'made')),
    failed: sumOf(tallies.filter(({ fate }) => fate === 'failed')),
    withdrawn: sumOf(tallies.filter(({ fate }) => fate === 'withdrawn')),
    // Also what was never planned.
    unplaced: {
      machines: unplaced.machines + asked.machines - planned.machines,
      vcpus: unplaced.vcpus + asked.vcpus - planned.vcpus,
    },
    reasons: reasonsOf(tallies),
    clusters: clustersOf(tallies),
    seconds: secondsOf(startedAfterMs),
  };
}

interface Part {
  readonly machines: number;
  readonly vcpus: number;
}

function sumOf(tallies: readonly Part[]): Part {
  return {
    machines: tallies.reduce((sum, { machines }) => sum + machines, 0),
    vcpus: tallies.reduce((sum, { vcpus }) => sum + vcpus, 0),
  };
}

/** Machines that were given another size since count as they are now. */
function askedOf({ size }: ReportInput['batch'], planned: Part): Part {
  if (size.kind === 'cores') {
    return {
      machines: planned.machines,
      vcpus: Math.max(size.totalVcpus, planned.vcpus),
    };
  }
  const missing = Math.max(0, size.count - planned.machines);
  const vcpus = planned.vcpus + missing * size.shape.vcpus;
  return { machines: planned.machines + missing, vcpus };
}

function reasonsOf(tallies: readonly ReportTally[]): BatchReport['reasons'] {
  const counts = new Map<string, number>();
  for (const { fate, reason, machines } of tallies) {
    if (fate !== 'failed') continue;
    const key = reason ?? 'UNKNOWN';
    counts.set(key, (counts.get(key) ?? 0) + machines);
  }
  return [...counts]
    .map(([reason, machines]) => ({ reason, machines }))
    .sort((a, b) => b.machines - a.machines || (a.reason < b.reason ? -1 : 1));
}

function clustersOf(tallies: readonly ReportTally[]): BatchReport['clusters'] {
  const found = new Map<ClusterId, BatchReport['clusters'][number]>();
  for (const { clusterId, clusterName, fate, machines } of tallies) {
    if (clusterId === null) continue;
    const none = { made: 0, failed: 0, withdrawn: 0, unplaced: 0 };
    const each = found.get(clusterId) ?? { id: clusterId, name: clusterName ?? '', ...none };
    found.set(clusterId, { ...each, [fate]: each[fate] + machines });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function secondsOf(ms: readonly number[] | null): BatchReport['seconds'] {
  if (ms === null) return null;
  const [first = 0, median = 0, p95 = 0, last = 0] = ms.map((each) => Math.round(each) / 1000);
  return { first, median, p95, last };
}
