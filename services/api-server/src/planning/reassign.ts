import type {
  BatchId,
  ClusterId,
  LinkCommand,
  NumberedCommand,
  OperationId,
  VmAssignment,
  VmId,
} from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';

/**
 * A cluster that leaves its commands unclaimed for so long is silent: what it has not claimed is
 * taken back. A cluster that is well asks within milliseconds, as its open poll is woken.
 */
export const UNCLAIMED_MS = 10_000;

/** What a silent cluster has not claimed, as it is while its row is locked. */
export interface Stranded {
  readonly nowMs: number;
  readonly clusterId: ClusterId;
  readonly clusterName: string;
  readonly claimedSeq: number;
  /** Those above `claimedSeq`: no api-server has ever sent them. */
  readonly commands: readonly NumberedCommand[];
  /** Its machines that one of these commands gives to it. */
  readonly vms: readonly VmRecord[];
}

/** What to write; everything or nothing. */
export interface Reassignment {
  /** Those that name fewer machines now; their numbers stay, as there must be no gaps. */
  readonly commands: readonly NumberedCommand[];
  /** Machines without a cluster now, and those that are gone, as they were to be deleted. */
  readonly vms: readonly VmRecord[];
  /** Operations that were on their way to these machines. */
  readonly operationIds: readonly OperationId[];
}

/**
 * Takes back from a silent cluster the machines that it has never heard of: no command that names
 * them has left the api-server, so it can't have made them, and won't when it comes back. Pure;
 * decided again from its own outcome it changes nothing.
 */
export function decideReassignment(stranded: Stranded): Reassignment {
  const unheard = firstGivenIn(stranded.commands);
  const vms = stranded.vms.filter((vm) => isUnheard(vm, stranded, unheard.get(vm.id)));
  const ids = new Set<string>(vms.map((vm) => vm.id));
  const operationIds: OperationId[] = [];
  const commands: NumberedCommand[] = [];
  for (const { seq, command } of stranded.commands) {
    if (command.kind === 'operate') {
      const taken = command.operations.filter(({ vmId }) => ids.has(vmId));
      operationIds.push(...taken.map((each) => each.operationId));
    }
    const left = without(command, ids);
    if (left !== command) commands.push({ seq, command: left });
  }
  return { commands, vms: vms.map((vm) => takenBack(vm, stranded)), operationIds };
}

interface Given {
  readonly seq: number;
  readonly assignment: VmAssignment;
}

/** Where machines are given for the first time; one that is given again may be on a host. */
function firstGivenIn(commands: readonly NumberedCommand[]): ReadonlyMap<VmId, Given> {
  const given = new Map<VmId, Given>();
  for (const { seq, command } of commands) {
    if (command.kind !== 'assignVms') continue;
    for (const assignment of command.vms) {
      if (assignment.lastHost === undefined) given.set(assignment.vmId, { seq, assignment });
    }
  }
  return given;
}

function isUnheard(
  vm: VmRecord,
  { clusterId, claimedSeq }: Stranded,
  given: Given | undefined,
): boolean {
  const seq = vm.assignedSeq ?? 0;
  const isItsCommand =
    given?.seq === seq && given.assignment.assignmentEpoch === vm.assignmentEpoch;
  const isUnreported = vm.revision === 0 && vm.hostName === null && vm.state === 'scheduled';
  // Volumes are in one cluster: their machines can go nowhere else, and wait for it.
  const isFree = vm.volumes.length === 0 || vm.desired === 'deleted';
  return vm.clusterId === clusterId && seq > claimedSeq && isItsCommand && isUnreported && isFree;
}

/** The command without these machines; itself when it names none of them. */
function without(command: LinkCommand, ids: ReadonlySet<string>): LinkCommand {
  const isOther = ({ vmId }: { readonly vmId: string }): boolean => !ids.has(vmId);
  switch (command.kind) {
    case 'assignVms':
      return command.vms.every(isOther)
        ? command
        : { ...command, vms: command.vms.filter(isOther) };
    case 'setDesired':
      return command.changes.every(isOther)
        ? command
        : { ...command, changes: command.changes.filter(isOther) };
    case 'operate':
      return command.operations.every(isOther)
        ? command
        : { ...command, operations: command.operations.filter(isOther) };
    case 'planShare':
    case 'withdrawVms':
    case 'declareHostGone':
    case 'dropVolumes':
      return command;
  }
}

function takenBack(vm: VmRecord, { nowMs, clusterName }: Stranded): VmRecord {
  if (vm.desired === 'deleted') {
    return { ...vm, state: 'deleted', stateSinceMs: nowMs, reason: null, message: null };
  }
  const message = `${clusterName} is silent and did not take it; it is planned again`;
  return { ...withoutCluster(vm), state: 'pending', stateSinceMs: nowMs, reason: null, message };
}

/**
 * A machine that its cluster does not have (any more), for another to have: with a later epoch, and
 * without what only one cluster's words mean. Its addresses and wishes stay as they are.
 */
export function withoutCluster(vm: VmRecord): VmRecord {
  return {
    ...vm,
    clusterId: null,
    assignedSeq: null,
    assignmentEpoch: vm.assignmentEpoch + 1,
    // Revisions follow the clock of one scheduler (decision 7): another's may be lower.
    revision: 0,
    appliedGeneration: 0,
    imageVersion: vm.imageGeneration > 0 ? vm.imageVersion : null,
    hostName: null,
    guestReady: false,
    guest: null,
    externalAddress: null,
  };
}

/** Batches of which machines are to be planned again. */
export function batchesToPlan(vms: readonly VmRecord[]): readonly BatchId[] {
  const waiting = vms.filter((vm) => vm.state === 'pending');
  return [...new Set(waiting.map((vm) => vm.batchId))].sort();
}

/** Why operations fail whose machine was taken back. */
export const TAKEN_BACK = 'Its machine has changed clusters before this one heard of it.';
