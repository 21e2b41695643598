import { stateDeadlineMs } from '@factory/contracts';
import { isConnected } from '../clusters/connection.ts';
import { SHARE_DEADLINE_MS } from '../planning/plan.ts';
import type { AuditedVm, InvariantSnapshot } from './store.ts';

/** Something that must never be: which rule it breaks, and how, in words. */
export interface Breach {
  readonly rule: InvariantRule;
  readonly what: string;
}

/**
 * Beyond a deadline: its owner in the cluster keeps it, the scheduler takes a minute more, words
 * travel, and the sweep comes round every few seconds.
 */
const MARGIN_MS = 5 * 60_000;

/** What must hold at every moment, between any two transactions, in words and as a check. */
export const INVARIANTS = {
  address: {
    says: 'No address is given to two machines, and each machine holds its own.',
    check: addresses,
  },
  heldAddress: {
    says: 'Addresses are held by machines that live.',
    check: heldByNobody,
  },
  mac: { says: 'No two cards have one MAC address.', check: macs },
  count: { says: 'A batch never has more machines than were asked for.', check: counts },
  assignment: {
    says: 'A machine is given to one cluster, with one epoch, by a command that arrives.',
    check: assignments,
  },
  log: { says: 'Commands are numbered without gaps, up to the last.', check: logs },
  share: { says: 'Room is promised only to batches that wait.', check: shares },
  waiting: { says: 'A machine without a cluster is of a batch that is planned.', check: waiting },
  deadline: { says: 'Nothing is past its deadline.', check: deadlines },
  word: { says: 'A machine that failed says why.', check: unexplained },
} as const satisfies Record<string, Rule>;
export type InvariantRule = keyof typeof INVARIANTS;

interface Rule {
  readonly says: string;
  /** Each breach in words. Pure. */
  readonly check: (snapshot: InvariantSnapshot) => readonly string[];
}

/** Every breach of every rule. Pure. */
export function auditInvariants(snapshot: InvariantSnapshot): readonly Breach[] {
  const rules = Object.keys(INVARIANTS) as InvariantRule[];
  return rules.flatMap((rule) =>
    INVARIANTS[rule].check(snapshot).map((what): Breach => ({ rule, what })),
  );
}

interface Card {
  readonly vm: AuditedVm;
  readonly place: string;
  readonly mac: string | null;
}

function cardsOf(vm: AuditedVm): readonly Card[] {
  const { subnetId, addressOffset, macAddress, nics } = vm;
  const first =
    addressOffset === null
      ? []
      : [{ vm, place: `${addressOffset} of ${subnetId}`, mac: macAddress }];
  const others = nics.map((card) => ({
    ...{ vm, place: `${card.addressOffset} of ${card.subnetId}`, mac: card.macAddress },
  }));
  return [...first, ...others];
}

function addresses({ vms, heldAddresses }: InvariantSnapshot): readonly string[] {
  const holders = new Map(heldAddresses.map((each) => [placeOf(each), each.vmId]));
  return vms.flatMap(cardsOf).flatMap(({ vm, place }) => {
    const holder = holders.get(place);
    if (holder === vm.id) return [];
    return [`${vm.id} has address ${place}, which ${holder ?? 'nobody'} holds`];
  });
}

function placeOf(held: InvariantSnapshot['heldAddresses'][number]): string {
  return `${held.offset} of ${held.subnetId}`;
}

function heldByNobody({ vms, heldAddresses }: InvariantSnapshot): readonly string[] {
  const living = new Set(vms.map(({ id }) => id));
  return heldAddresses
    .filter(({ vmId }) => !living.has(vmId))
    .map((held) => `address ${placeOf(held)} is held by ${held.vmId}, which is no more`);
}

function macs({ vms }: InvariantSnapshot): readonly string[] {
  const owners = new Map<string, string>();
  const breaches: string[] = [];
  for (const { vm, mac } of vms.flatMap(cardsOf)) {
    if (mac === null) continue;
    const other = owners.get(mac);
    if (other !== undefined) breaches.push(`${vm.id} and ${other} have the MAC address ${mac}`);
    owners.set(mac, vm.id);
  }
  return breaches;
}

function counts({ batches }: InvariantSnapshot): readonly string[] {
  return batches.flatMap(({ id, size, vmCount }) =>
    size.kind === 'count' && vmCount > size.count
      ? [`${id} has had ${vmCount} machines, ${size.count} were asked for`]
      : [],
  );
}

function assignments(snapshot: InvariantSnapshot): readonly string[] {
  const { vms, clusters } = snapshot;
  const byId = new Map(vms.map((vm) => [vm.id, vm]));
  const queued = new Set<string>();
  const breaches: string[] = [];
  for (const { clusterId, seq, vmId, assignmentEpoch } of snapshot.assignments) {
    queued.add(`${clusterId} ${seq} ${vmId}`);
    const vm = byId.get(vmId);
    // One that is deleted since is not kept there: the next command says so.
    if (vm === undefined || assignmentEpoch < vm.assignmentEpoch) continue;
    const isSame = vm.clusterId === clusterId && vm.assignmentEpoch === assignmentEpoch;
    if (!isSame) {
      const given = `command ${seq} gives ${vmId} to ${clusterId} with epoch ${assignmentEpoch}`;
      breaches.push(`${given}; it is ${vm.clusterId}'s with epoch ${vm.assignmentEpoch}`);
    }
  }
  const acked = new Map(clusters.map(({ id, ackedSeq }) => [id, ackedSeq]));
  for (const { id, clusterId, assignedSeq } of vms) {
    if (clusterId === null || assignedSeq === null) continue;
    const isOver = assignedSeq <= (acked.get(clusterId) ?? 0);
    if (isOver || queued.has(`${clusterId} ${assignedSeq} ${id}`)) continue;
    breaches.push(
      `${id} is given to ${clusterId} by command ${assignedSeq}, which does not name it`,
    );
  }
  return breaches;
}

function logs({ clusters }: InvariantSnapshot): readonly string[] {
  return clusters.flatMap(({ id, ackedSeq, lastSeq, queued }) => {
    if (ackedSeq > lastSeq) return [`${id} has applied ${ackedSeq} of ${lastSeq} commands`];
    const due = lastSeq - ackedSeq;
    if (queued === null) return due === 0 ? [] : [`${due} commands for ${id} are not there`];
    const { first, last, count } = queued;
    const isWhole = first === ackedSeq + 1 && last === lastSeq && count === due;
    if (isWhole) return [];
    return [`${id} needs ${ackedSeq + 1} to ${lastSeq}; there are ${count}, ${first} to ${last}`];
  });
}

function shares({ batches, shares: all }: InvariantSnapshot): readonly string[] {
  const waitingIds = new Set(batches.flatMap((each) => (each.needsPlanning ? [each.id] : [])));
  return all
    .filter(({ batchId, state }) => state !== 'declined' && !waitingIds.has(batchId))
    .map(({ batchId, clusterId }) => `${clusterId} promises room to ${batchId}, which needs none`);
}

function waiting({ vms, batches }: InvariantSnapshot): readonly string[] {
  const planned = new Set(batches.flatMap((each) => (each.needsPlanning ? [each.id] : [])));
  return vms.flatMap(({ id, clusterId, state, batchId }) => {
    if (clusterId === null && state === 'pending' && !planned.has(batchId)) {
      return [`${id} waits for a cluster, and nobody plans ${batchId}`];
    }
    const hasPlace = clusterId !== null || state === 'pending' || state === 'failed';
    return hasPlace ? [] : [`${id} is ${state} in no cluster`];
  });
}

function deadlines(snapshot: InvariantSnapshot): readonly string[] {
  const { nowMs, vms, clusters, operations, shares: all } = snapshot;
  const heard = new Set(
    clusters.flatMap((each) => (isConnected(each.lastSeenAtMs, nowMs) ? [each.id] : [])),
  );
  const overdueVms = vms.flatMap(({ id, state, stateSinceMs, clusterId }) => {
    // One that waits for a cluster waits as long as its batch; a silent cluster's news are old.
    if (clusterId === null || !heard.has(clusterId)) return [];
    const deadlineMs = stateDeadlineMs(state, stateSinceMs);
    if (deadlineMs === undefined || nowMs <= deadlineMs + MARGIN_MS) return [];
    return [`${id} has been ${state} for ${Math.round((nowMs - stateSinceMs) / 1000)} s`];
  });
  const overdueOperations = operations
    .filter(({ deadlineAtMs }) => nowMs > deadlineAtMs + MARGIN_MS)
    .map(({ id }) => `${id} still runs, after its deadline`);
  const overdueShares = all
    .filter(
      (each) => each.state === 'open' && nowMs > each.changedAtMs + SHARE_DEADLINE_MS + MARGIN_MS,
    )
    .map(({ batchId, clusterId }) => `${clusterId} was asked for a plan of ${batchId} long ago`);
  return [...overdueVms, ...overdueOperations, ...overdueShares];
}

function unexplained({ vms }: InvariantSnapshot): readonly string[] {
  return vms
    .filter(({ state, reason, message }) => state === 'failed' && (reason === null || !message))
    .map(({ id, reason, message }) => `${id} failed without a word: ${reason}: ${message}`);
}
