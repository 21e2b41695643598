import type { BatchId, ClusterId, LinkCommand, OperationId, VmReport } from '@factory/contracts';
import {
  isHostActive,
  mayHaveMoreRoom,
  summariseCapacity,
} from '../../clusters/capacity-summary.ts';
import { isConnected } from '../../clusters/connection.ts';
import { type FormerVm, farewell, formerVm } from '../../clusters/former-vms.ts';
import { decideRefusal, failedByRefusal, refusedVm } from '../../clusters/refusals.ts';
import type {
  ClusterStore,
  CommandsResult,
  EnrolResult,
  ExchangeNews,
  IngestResult,
} from '../../clusters/store.ts';
import { assignmentAgain } from '../../planning/assignments.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { MemoryCluster, MemoryDatabase, MemoryToken } from './database.ts';
import { planAgain } from './take-back.ts';
import { takeVolumes } from './volumes.ts';
import { takeGivenBack } from './withdraw.ts';

/** See {@link ClusterStore}. */
export function createMemoryClusters(db: MemoryDatabase): ClusterStore {
  return {
    list: async () => [...db.clusters.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    declareHostGone: async (clusterName, hostName) => {
      const cluster = [...db.clusters.values()].find(({ name }) => name === clusterName);
      if (cluster === undefined) return 'noSuchCluster';
      if (isHostActive(cluster.fullCapacity, hostName)) return 'isActive';
      db.appendCommands(cluster.id, [{ kind: 'declareHostGone', hostName }]);
      db.wake({ clusters: [cluster.id] });
      return 'declared';
    },
    orphans: async () =>
      [...db.clusters.values()].flatMap(({ id: clusterId, name: clusterName, fullCapacity }) =>
        (fullCapacity?.orphans ?? []).map((orphan) => ({ ...orphan, clusterId, clusterName })),
      ),
    findPeer: async (id) => [...db.clusters.values()].find((cluster) => cluster.id === id),
    enrol: async (input) => enrol(db, input),
    openSession: async (id, nonce, nowMs, { features, region, attributes }) => {
      if (!useNonce(db, id, nonce, nowMs)) return { kind: 'replayed' };
      const cluster = clusterOf(db, id);
      const epoch = cluster.epoch + 1;
      const { given } = cluster;
      db.clusters.set(id, {
        ...{ ...cluster, ...heard(cluster, nowMs), epoch, features },
        region: given.region === '' ? region : given.region,
        attributes: { ...attributes, ...given.attributes },
      });
      db.wake({ clusters: [id] });
      return { kind: 'opened', epoch };
    },
    ingest: async (news) => ingest(db, news),
    commandsAfter: async (id, epoch, afterSeq, bounds) =>
      commandsAfter(db, id, epoch, afterSeq, bounds),
  };
}

function heard({ lastSeenAtMs, heardSinceMs }: MemoryCluster, nowMs: number) {
  const isBack = !isConnected(lastSeenAtMs, nowMs);
  return { lastSeenAtMs: nowMs, heardSinceMs: isBack ? nowMs : heardSinceMs };
}

function clusterOf(db: MemoryDatabase, id: ClusterId): MemoryCluster {
  const cluster = db.clusters.get(id);
  if (cluster === undefined) throw new Error(`there is no cluster ${id}`);
  return cluster;
}

function enrol(db: MemoryDatabase, input: Parameters<ClusterStore['enrol']>[0]): EnrolResult {
  const { name, nowMs } = input;
  const token = db.tokens.get(name);
  if (token?.tokenHash !== input.tokenHash || token.expiresAtMs < nowMs) return { kind: 'refused' };
  if (token.revokedAtMs !== null) return { kind: 'refused' };
  const known = [...db.clusters.values()].find((cluster) => cluster.name === name);
  if (token.spentFor !== undefined) {
    const isSame = token.spentFor === input.publicKey && known !== undefined;
    return isSame ? { kind: 'enrolled', clusterId: known.id } : { kind: 'refused' };
  }
  db.tokens.set(name, { ...token, spentFor: input.publicKey });
  const clusterId = known?.id ?? input.clusterId;
  db.clusters.set(clusterId, {
    id: clusterId,
    name,
    epoch: known === undefined || known.epoch === 0 ? 0 : known.epoch + 1,
    enrolledAtMs: nowMs,
    lastSeenAtMs: known?.lastSeenAtMs ?? null,
    capacity: null,
    publicKey: input.publicKey,
    nextPublicKey: null,
    ...grantedTo(known, token, nowMs),
    heardSinceMs: known?.heardSinceMs ?? 0,
    fullCapacity: null,
    ackedSeq: 0,
    capacitySeq: 0,
    lastCommandSeq: 0,
    claimedSeq: 0,
    silentSinceMs: null,
  });
  db.commands.delete(clusterId);
  for (const vm of db.vms.values()) {
    if (vm.clusterId === clusterId && vm.state !== 'deleted') giveAgain(db, vm, clusterId);
  }
  // It had these machines before: they are claimed already.
  const begun = clusterOf(db, clusterId);
  db.clusters.set(clusterId, { ...begun, claimedSeq: begun.lastCommandSeq });
  db.wake({ clusters: [clusterId] });
  return { kind: 'enrolled', clusterId };
}

/** What the token gives; a cluster that enrols again keeps all that it does not say otherwise. */
function grantedTo(known: MemoryCluster | undefined, token: MemoryToken, nowMs: number) {
  const given = {
    region: token.region === '' ? (known?.given.region ?? '') : token.region,
    attributes: { ...known?.given.attributes, ...token.attributes },
  };
  const isNew = known === undefined || known.state === 'revoked' || known.state === 'withdrawn';
  return {
    ...{ given, ...given, features: known?.features ?? [], noticeUntilMs: null },
    ownerOrganisationId: token.ownerOrganisationId ?? known?.ownerOrganisationId ?? null,
    caps: Object.keys(token.caps).length === 0 ? (known?.caps ?? {}) : token.caps,
    state: isNew ? (token.isTrusted ? 'active' : 'joining') : known.state,
    stateSinceMs: isNew ? nowMs : known.stateSinceMs,
  } as const;
}

function giveAgain(db: MemoryDatabase, vm: VmRecord, clusterId: ClusterId): void {
  const batch = db.batches.get(vm.batchId);
  if (batch === undefined) throw new Error(`${vm.id} has lost its batch`);
  const command: LinkCommand = {
    kind: 'assignVms',
    vms: [assignmentAgain(vm, batch, db.subnets)],
  };
  const seq = db.appendCommands(clusterId, [command]);
  db.putVm({ ...vm, assignedSeq: seq });
}

function useNonce(db: MemoryDatabase, id: ClusterId, nonce: string, nowMs: number): boolean {
  const key = `${id} ${nonce}`;
  if (db.nonces.has(key)) return false;
  db.nonces.set(key, nowMs);
  return true;
}

function ingest(db: MemoryDatabase, news: ExchangeNews): IngestResult {
  const { clusterId, nowMs, appliedCommandSeq } = news;
  if (!useNonce(db, clusterId, news.nonce, nowMs)) return { kind: 'replayed' };
  const before = clusterOf(db, clusterId);
  if (before.epoch !== news.epoch) return { kind: 'stale', epoch: before.epoch };
  const { capacity } = news;
  const summary = capacity === undefined ? undefined : summariseCapacity(capacity);
  // A cluster-server that restarted begins to count anew; what it applied before stays applied.
  const ackedSeq = Math.max(before.ackedSeq, appliedCommandSeq);
  db.clusters.set(clusterId, {
    ...before,
    ...heard(before, nowMs),
    silentSinceMs: null,
    claimedSeq: before.lastCommandSeq,
    ackedSeq,
    ...(capacity === undefined || summary === undefined
      ? {}
      : { fullCapacity: capacity, capacity: summary, capacitySeq: ackedSeq }),
  });
  const log = db.commands.get(clusterId) ?? [];
  db.commands.set(
    clusterId,
    log.filter((each) => each.seq > appliedCommandSeq),
  );
  db.usage.nowMs = nowMs;
  const givenBack = takeGivenBack(db, news);
  const { changed, foreign, former } = ingestVms(db, news);
  db.usage.nowMs = null;
  takeVolumes(db, news);
  const refused = ingestRefusals(db, news);
  const batches = new Set([...changed, ...refused].map((vm) => vm.batchId));
  for (const batchId of batches) closeIfGone(db, batchId);
  ingestProgress(db, news);
  const operations = [...ingestOperations(db, news), ...endWishes(db, changed, nowMs)];
  const plannedBatchIds = ingestPlans(db, news);
  if (batches.size > 0 || operations.length > 0) db.wake({ batches: [...batches], operations });
  const commands = farewell(former);
  if (commands.length > 0) {
    db.appendCommands(clusterId, commands);
    db.wake({ clusters: [clusterId] });
  }
  const isWaiting = [...db.batches.values()].some((batch) => batch.needsPlanning);
  return {
    kind: 'ingested',
    vmsChanged: changed.length,
    vmsForeign: foreign,
    plannedBatchIds,
    isWorthPlanning:
      isWaiting &&
      (givenBack.length > 0 ||
        refused.some((vm) => vm.state === 'pending') ||
        (summary !== undefined && mayHaveMoreRoom(before.capacity, summary))),
  };
}

function ingestVms(db: MemoryDatabase, news: ExchangeNews) {
  const changed: VmRecord[] = [];
  const former: FormerVm[] = [];
  let foreign = 0;
  for (const report of news.vms) {
    const vm = db.vms.get(report.vmId);
    const isOurs =
      vm?.clusterId === news.clusterId && vm.assignmentEpoch === report.assignmentEpoch;
    former.push(...formerVm(vm, report));
    if (!isOurs) foreign += 1;
    else if (report.revision > vm.revision && vm.state !== 'deleted') {
      const next = applyReport(vm, report, news.nowMs);
      db.putVm(next);
      changed.push(next);
    }
  }
  return { changed, foreign, former };
}

/** Gives the machines that changed by it. */
function ingestRefusals(db: MemoryDatabase, news: ExchangeNews): readonly VmRecord[] {
  const changed: VmRecord[] = [];
  const change = (vm: VmRecord): void => {
    db.putVm(vm);
    changed.push(vm);
  };
  const { clusterId, nowMs } = news;
  const others = [...db.clusters.keys()].filter((id) => id !== clusterId);
  for (const refusal of news.refusals) {
    const vm = db.vms.get(refusal.vmId);
    if (vm?.clusterId !== clusterId) continue;
    const outcome = decideRefusal(vm, refusal, others);
    if (outcome === 'elsewhere') {
      change(refusedVm(vm, `refused it: ${refusal.message}`, nowMs));
      planAgain(db, vm.batchId);
    }
    if (outcome === 'fail') change({ ...vm, ...failedByRefusal(refusal, nowMs) });
    if (outcome === 'gone') {
      change({ ...vm, state: 'deleted', stateSinceMs: nowMs, reason: null, message: null });
    }
    if (outcome === 'giveAgain') {
      giveAgain(db, vm, clusterId);
      db.wake({ clusters: [clusterId] });
    }
  }
  return changed;
}

/** The machine after a newer report. What the API saw first, and when, is part of its timeline. */
function applyReport(vm: VmRecord, report: VmReport, nowMs: number): VmRecord {
  const timeline = { ...vm.timeline, ...report.timeline };
  const isSeen = timeline.started === undefined || timeline.seen !== undefined;
  return {
    ...vm,
    ...appliedOf(vm, report),
    desired: isAwake(vm, report) ? 'running' : vm.desired,
    state: report.state,
    stateSinceMs: report.stateSinceMs,
    guestReady: report.guestReady,
    // Why it was deleted is said here alone.
    reason: report.reason ?? (vm.reason === 'PREEMPTED' ? vm.reason : null),
    message: report.message ?? (vm.reason === 'PREEMPTED' ? vm.message : null),
    hostName: report.hostName,
    revision: report.revision,
    appliedGeneration: report.generation,
    externalAddress: report.externalAddress ?? null,
    guest: report.guest ?? null,
    timeline: isSeen ? timeline : { ...timeline, seen: nowMs },
  };
}

/** It could not be suspended, or somebody has woken it: nothing else is to suspend it again. */
function isAwake({ desired, generation }: VmRecord, report: VmReport): boolean {
  const isDone = report.generation >= generation;
  return desired === 'suspended' && report.state === 'running' && isDone;
}

/** What the machine is by its last wish; one that is still open says what it is to be. */
function appliedOf(vm: VmRecord, { applied, generation }: VmReport): Partial<VmRecord> {
  if (generation < vm.generation) return {};
  // What could not be taken from it is among what it has.
  const left = { leavingVolumes: [] };
  if (applied === undefined) return left;
  const { image, vcpus, memoryMiB, diskGiB, volumes = vm.volumes } = applied;
  const { name, version = null, generation: imageGeneration = 0 } = image;
  const size = { vcpus, memoryMiB, diskGiB };
  return { ...left, ...size, image: name, imageVersion: version, imageGeneration, volumes };
}

function closeIfGone(db: MemoryDatabase, batchId: BatchId): void {
  const batch = db.batches.get(batchId);
  if (batch?.state !== 'deleting') return;
  if (db.vmsOf(batchId).every((vm) => vm.state === 'deleted')) {
    db.batches.set(batchId, { ...batch, state: 'deleted' });
  }
}

function ingestProgress(db: MemoryDatabase, news: ExchangeNews): void {
  for (const { operationId, stage, percent } of news.progress) {
    const operation = db.operations.get(operationId);
    if (operation?.clusterId !== news.clusterId || operation.state !== 'running') continue;
    db.operations.set(operation.id, { ...operation, progress: { stage, percent } });
  }
}

function ingestOperations(db: MemoryDatabase, news: ExchangeNews): readonly OperationId[] {
  return news.operations.flatMap((result) => {
    const operation = db.operations.get(result.operationId);
    if (operation?.clusterId !== news.clusterId || operation.state !== 'running') return [];
    const { outcome: state, reason = null, message, output, data = null } = result;
    db.operations.set(operation.id, {
      ...operation,
      state,
      reason,
      message,
      output,
      data,
      finishedAtMs: news.nowMs,
    });
    return [operation.id];
  });
}

/** Wishes of operations on batches that these machines have followed, or can't any more. */
function endWishes(
  db: MemoryDatabase,
  changed: readonly VmRecord[],
  nowMs: number,
): readonly OperationId[] {
  const byId = new Map(changed.map((vm) => [vm.id, vm]));
  return [...db.operations.values()].flatMap((operation) => {
    const vm = byId.get(operation.vmId);
    const { state, wishGeneration } = operation;
    if (vm === undefined || state !== 'running' || wishGeneration === null) return [];
    if (vm.appliedGeneration < wishGeneration && vm.state !== 'deleted') return [];
    const ended = { ...operation, ...endOfWish(vm), finishedAtMs: nowMs };
    db.operations.set(operation.id, ended);
    return [operation.id];
  });
}

function endOfWish({ state, reason, message }: VmRecord) {
  if (state === 'deleted') return { state: 'failed', message: 'It was deleted.' } as const;
  if (state !== 'failed') return { state: 'succeeded' } as const;
  return { state: 'failed', reason, message: message ?? '' } as const;
}

function ingestPlans(db: MemoryDatabase, news: ExchangeNews): readonly BatchId[] {
  return news.plans.flatMap((plan) => {
    const shares = db.shares.get(plan.batchId) ?? [];
    const isAnswer = (share: (typeof shares)[number]): boolean =>
      share.clusterId === news.clusterId && share.state === 'open';
    if (!shares.some(isAnswer)) return [];
    const answered = shares.map((share) =>
      isAnswer(share) ? { ...share, state: 'answered' as const, plan } : share,
    );
    db.shares.set(plan.batchId, answered);
    return [plan.batchId];
  });
}

function commandsAfter(
  db: MemoryDatabase,
  id: ClusterId,
  epoch: number,
  afterSeq: number,
  bounds: { readonly limit: number; readonly bytesMax: number },
): CommandsResult {
  const cluster = clusterOf(db, id);
  if (cluster.epoch !== epoch) return { kind: 'stale', epoch: cluster.epoch };
  const { claimedSeq, lastCommandSeq } = cluster;
  const hasUnclaimed = lastCommandSeq > claimedSeq;
  const due = (db.commands.get(id) ?? []).filter(({ seq }) => seq > afterSeq && seq <= claimedSeq);
  const commands = due.slice(0, bounds.limit);
  let bytes = 0;
  const count = commands.findIndex((each) => {
    bytes += JSON.stringify(each.command).length;
    return bytes > bounds.bytesMax;
  });
  const some = count < 0 ? commands : commands.slice(0, count || 1);
  return { kind: 'commands', commands: some, hasUnclaimed };
}
