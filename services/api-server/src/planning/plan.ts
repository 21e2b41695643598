import { reachableTotals, type Shape, type SharePlan } from '@factory/contracts';
import type { IdGenerator } from '@factory/runtime';
import type { BatchSize } from '../batches/store.ts';
import { selectForCores } from './cluster-selection.ts';
import { PlanDraft } from './draft.ts';
import { candidateIn, placeMachines } from './place.ts';
import { plural } from './rooms.ts';
import type { PlanningOutcome, PlanningSnapshot, ShareRecord } from './store.ts';

/** A cluster that does not say within this time how it would make its share, loses it. */
export const SHARE_DEADLINE_MS = 60_000;

type CountSize = Extract<BatchSize, { readonly kind: 'count' }>;
type CoresSize = Extract<BatchSize, { readonly kind: 'cores' }>;

/**
 * What to do for a batch now: which machines to make, which clusters get them, what to ask of
 * clusters first. Planning again from the state that the outcome led to changes nothing. Pure, but
 * for the new ids.
 */
export function decidePlan(all: PlanningSnapshot, newId: IdGenerator): PlanningOutcome {
  const snapshot = withItsVolumes(all);
  const draft = new PlanDraft(snapshot, newId);
  const { size } = snapshot.batch;
  return size.kind === 'count'
    ? planMachines(snapshot, size, draft)
    : planCores(snapshot, size, draft);
}

/** Machines go where their volumes are. */
function withItsVolumes(snapshot: PlanningSnapshot): PlanningSnapshot {
  const { volumeClusterId } = snapshot.batch;
  if (volumeClusterId === null) return snapshot;
  return { ...snapshot, clusters: snapshot.clusters.filter(({ id }) => id === volumeClusterId) };
}

function planMachines(
  snapshot: PlanningSnapshot,
  size: CountSize,
  draft: PlanDraft,
): PlanningOutcome {
  const isFirst = snapshot.planned.count === 0;
  const all = isFirst
    ? draft.makeVms(new Array<Shape>(size.count).fill(size.shape))
    : snapshot.unassigned;
  const { ready, waiting } = draft.giveAddresses(all);
  const selection = placeMachines(snapshot, ready, size.count, draft);
  const after = [...selection.vms, ...waiting];
  const unchanged = new Set(snapshot.unassigned);
  if (isFirst) draft.newVms.push(...after);
  else draft.changedVms.push(...after.filter((vm) => !unchanged.has(vm)));
  const [first] = waiting;
  if (first === undefined) return outcomeOf(draft, snapshot.shares, selection);
  const noAddress = `${plural(waiting.length, 'machine')} without address: ${first.message}.`;
  const reason = [noAddress, selection.reason ?? []].flat().join(' ');
  const unplaced = selection.unplaced + waiting.length;
  return outcomeOf(draft, snapshot.shares, { unplaced, reason });
}

function planCores(snapshot: PlanningSnapshot, size: CoresSize, draft: PlanDraft): PlanningOutcome {
  const shares: ShareRecord[] = [];
  for (const share of snapshot.shares) {
    const next = settleShare(snapshot, size, share, draft);
    if (next !== undefined) shares.push(next);
  }
  const made = draft.newVms.reduce((sum, vm) => sum + vm.vcpus, 0);
  const asked = sumOfAsked(shares);
  const left = Math.max(0, size.totalVcpus - snapshot.planned.vcpus - made - asked);
  const wanted = reachableTotals(left, size.shapes).lastIndexOf(true);
  const remarks = [
    ...fullReasons(snapshot, shares),
    leftOver(left - wanted, size),
    ...declineReasons(snapshot, shares),
  ];
  const selection = askForShares(snapshot, size, wanted, shares, draft);
  if (selection.reason !== null) remarks.push(selection.reason);
  const again = placeMachines(snapshot, snapshot.unassigned, snapshot.planned.count, draft);
  const unchanged = new Set(snapshot.unassigned);
  draft.changedVms.push(...again.vms.filter((vm) => !unchanged.has(vm)));
  if (again.reason !== null) remarks.push(again.reason);
  const said = remarks.filter((remark) => remark !== '').join(' ');
  const unplaced = asked + wanted + again.unplaced;
  return outcomeOf(draft, shares, { unplaced, reason: said === '' ? null : said });
}

/** Asks clusters that are not busy with this batch to plan what is left; adds to `shares`. */
function askForShares(
  snapshot: PlanningSnapshot,
  size: CoresSize,
  totalVcpus: number,
  shares: ShareRecord[],
  draft: PlanDraft,
): { readonly reason: string | null } {
  if (totalVcpus === 0) return { reason: null };
  const { batch, nowMs } = snapshot;
  const busy = new Set(shares.map((share) => share.clusterId));
  const candidates = snapshot.clusters
    .filter((cluster) => !busy.has(cluster.id))
    .map(candidateIn(snapshot));
  if (candidates.length === 0 && busy.size > 0) return { reason: null };
  const { shapes, totalVcpus: outOf } = size;
  const { image, imageVersion, wishes } = batch;
  const demand = { image, imageVersion, wishes, shapes, totalVcpus, outOf };
  const selection = selectForCores(demand, candidates);
  for (const { clusterId, amount } of selection.shares) {
    const ask = { kind: 'planShare', batchId: batch.id, totalVcpus: amount } as const;
    const { requirements, hardware } = wishes;
    const required = {
      ...(requirements === undefined ? {} : { requirements }),
      ...(hardware === undefined ? {} : { hardware }),
    };
    draft.command(clusterId, { ...ask, ...required, shapes: [...size.shapes] });
    const opened = { clusterId, state: 'open', totalVcpus: amount, changedAtMs: nowMs } as const;
    shares.push({ ...opened, plan: null });
  }
  return selection;
}

/**
 * What becomes of a share: machines are made of an answer; a share that was not placed in full
 * stays as declined until the cluster reports its capacity again, and so does one without answer.
 */
function settleShare(
  snapshot: PlanningSnapshot,
  size: CoresSize,
  share: ShareRecord,
  draft: PlanDraft,
): ShareRecord | undefined {
  const cluster = snapshot.clusters.find(({ id }) => id === share.clusterId);
  const observedAtMs = cluster?.capacity?.observedAtMs ?? 0;
  const declined = { ...share, state: 'declined', changedAtMs: observedAtMs } as const;
  switch (share.state) {
    case 'open':
      return snapshot.nowMs - share.changedAtMs > SHARE_DEADLINE_MS ? declined : share;
    case 'declined':
      return observedAtMs > share.changedAtMs ? undefined : share;
    case 'answered': {
      const { plan } = share;
      if (plan === null || !addsUp(plan, share, size)) return declined;
      const shapes = plan.machines.flatMap((each) => new Array<Shape>(each.count).fill(each.shape));
      if (!draft.hasAddressesFor(shapes.length)) return share;
      const { ready } = draft.giveAddresses(draft.makeVms(shapes));
      draft.newVms.push(...draft.assign(ready, share.clusterId));
      return plan.unplacedVcpus > 0 ? declined : undefined;
    }
  }
}

/** Whether the answer is one to the question: exactly these cores, in the shapes allowed. */
function addsUp(plan: SharePlan, share: ShareRecord, size: CoresSize): boolean {
  const placed = plan.machines.reduce((sum, each) => sum + each.count * each.shape.vcpus, 0);
  const isAllowed = (shape: Shape): boolean =>
    size.shapes.some((each) => each.vcpus === shape.vcpus && each.memoryMiB === shape.memoryMiB);
  return (
    placed + plan.unplacedVcpus === share.totalVcpus &&
    plan.machines.every((each) => isAllowed(each.shape))
  );
}

function declineReasons(snapshot: PlanningSnapshot, shares: readonly ShareRecord[]): string[] {
  return shares
    .filter((share) => share.state === 'declined')
    .map((share) => {
      const name = snapshot.clusters.find(({ id }) => id === share.clusterId)?.name ?? 'a cluster';
      if (share.plan === null) return `${name} did not answer in time.`;
      return `${name}: ${share.plan.reason || 'its answer was not usable.'}`;
    });
}

function leftOver(cores: number, size: CoresSize): string {
  if (cores === 0) return '';
  const sizes = size.shapes.map((shape) => shape.vcpus).join(', ');
  return `${plural(cores, 'core')} left over: no sum of the shapes (${sizes}) makes them.`;
}

/** Cores that clusters are to place; those of a full subnet have been placed, and wait. */
function sumOfAsked(shares: readonly ShareRecord[]): number {
  return shares
    .filter((share) => share.state !== 'declined')
    .reduce((sum, share) => sum + share.totalVcpus, 0);
}

/** Shares that are answered still are so for want of addresses. */
function fullReasons({ cards }: PlanningSnapshot, shares: readonly ShareRecord[]): string[] {
  if (shares.every((share) => share.state !== 'answered')) return [];
  const names = cards.map(({ subnet }) => subnet.name).join(', ');
  return [`There are not enough free addresses (subnet ${names}).`];
}

function outcomeOf(
  draft: PlanDraft,
  shares: readonly ShareRecord[],
  rest: { readonly unplaced: number; readonly reason: string | null },
): PlanningOutcome {
  const needsPlanning = rest.unplaced > 0;
  return {
    newVms: draft.newVms,
    changedVms: draft.changedVms,
    takenAddresses: draft.takenAddresses,
    nextOffsets: draft.nextOffsets,
    commands: draft.commands,
    shares,
    batch: {
      state: needsPlanning ? 'planning' : 'active',
      pendingReason: rest.reason,
      needsPlanning,
    },
  };
}
