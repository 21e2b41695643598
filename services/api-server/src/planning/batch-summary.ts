import { type Batch, imageNameOf, type VmState } from '@factory/contracts';
import type { BatchView, StateTally } from '../batches/store.ts';
import { readTallies } from '../vms/reading.ts';

/** Where a machine has come to rest: wished or not, nobody is working on it. */
const END_STATES: readonly VmState[] = ['running', 'stopped', 'suspended', 'failed', 'deleted'];
/** Waiting reasons of clusters that are quoted. */
const QUOTED_MAX = 3;

/** The batch as the API shows it: everything about its machines is derived from their tallies. */
export function summariseBatch({ batch, terms, tallies: byCluster, waiting }: BatchView): Batch {
  const { size } = batch;
  const tallies = readTallies(byCluster, new Map());
  const vmTotal = tallies.reduce((sum, tally) => sum + tally.count, 0);
  return {
    id: batch.id,
    name: batch.name,
    projectId: batch.projectId,
    state: batch.state,
    image: imageNameOf(batch.image),
    count: size.kind === 'count' ? size.count : vmTotal,
    totalVcpus: size.kind === 'cores' ? size.totalVcpus : null,
    vmCounts: Object.fromEntries(tallies.map((tally) => [tally.state, tally.count])),
    readyCount: readyRunning(tallies),
    ...(batch.preempted === 0 ? {} : { preemptedCount: batch.preempted }),
    settled: isSettled(batch.state, tallies),
    pendingReason: pendingReason(batch.pendingReason, waiting),
    securityRules: [...batch.securityRules],
    labels: { ...batch.labels },
    fill: terms.fill,
    deadlineAt: timeOf(terms.deadlineAtMs),
    expiresAt: timeOf(terms.expiresAtMs),
    failure: terms.failure,
    createdAt: new Date(batch.createdAtMs).toISOString(),
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function readyRunning(tallies: readonly StateTally[]): number {
  return tallies.find((tally) => tally.state === 'running')?.readyCount ?? 0;
}

function isSettled(state: Batch['state'], tallies: readonly StateTally[]): boolean {
  switch (state) {
    case 'accepted':
    case 'planning':
    case 'deleting':
      return false;
    case 'deleted':
      return true;
    case 'failed':
      return tallies.every((tally) => tally.state === 'deleted');
    case 'active':
      return tallies.every((tally) => END_STATES.includes(tally.state));
  }
}

function pendingReason(ofPlanning: string | null, waiting: BatchView['waiting']): string | null {
  const quoted = waiting
    .toSorted((a, b) => b.count - a.count)
    .slice(0, QUOTED_MAX)
    .map(({ count, message }) => `${count} waiting at the cluster: ${message}`);
  const said = ofPlanning === null ? quoted : [ofPlanning, ...quoted];
  return said.length === 0 ? null : said.join(' ');
}
