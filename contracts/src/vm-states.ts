/**
 * The VM state machine as data (DESIGN rule 4): every transitional state names who must move it on,
 * by when, and what happens if nobody does. The diagram in docs/vm-states.md is made from this table.
 */

export const VM_STATES = [
  'pending',
  'scheduled',
  'launching',
  'preparing',
  'starting',
  'running',
  'stopping',
  'stopped',
  'rebooting',
  'suspending',
  'suspended',
  'resuming',
  'resizing',
  'rebuilding',
  'reverting',
  'deleting',
  'deleted',
  'failed',
  'unreachable',
] as const;
export type VmState = (typeof VM_STATES)[number];

export type StateOwner = 'api-server' | 'vm-scheduler' | 'vm-executor';

interface StateRuleBase {
  /** One sentence for people: what is going on. */
  readonly meaning: string;
  /** States that may follow. */
  readonly next: readonly VmState[];
}

/** Somebody is working on it, and must be done within `deadlineMs`. */
export interface TransitionalRule extends StateRuleBase {
  readonly kind: 'transitional';
  readonly owner: StateOwner;
  readonly deadlineMs: number;
  /** Where the sweeper moves a VM that is past its deadline. */
  readonly onDeadline: VmState;
}

/** May last for ever; only a wish of the user or an event of the world ends it. */
export interface StableRule extends StateRuleBase {
  readonly kind: 'stable';
}

/** The end; nothing follows. */
export interface TerminalRule extends StateRuleBase {
  readonly kind: 'terminal';
}

export type StateRule = TransitionalRule | StableRule | TerminalRule;

/** States in which an executor reports a VM; after losing sight of it, any of them may be found. */
const EXECUTOR_STATES = [
  'preparing',
  'starting',
  'running',
  'stopping',
  'stopped',
  'rebooting',
  'suspending',
  'suspended',
  'resuming',
  'resizing',
  'rebuilding',
  'reverting',
  'deleting',
  'deleted',
  'failed',
] as const satisfies readonly VmState[];

/** Whatever is done to a machine may end so. */
const ENDS = ['deleting', 'deleted', 'failed', 'unreachable'] as const;

const MINUTE_MS = 60_000;

export const VM_STATE_TABLE: Readonly<Record<VmState, StateRule>> = {
  pending: {
    kind: 'transitional',
    meaning: 'Accepted; waiting for a cluster with room.',
    owner: 'api-server',
    deadlineMs: 30 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['scheduled', 'launching', ...EXECUTOR_STATES, 'unreachable'],
  },
  scheduled: {
    kind: 'transitional',
    meaning: 'Given to a cluster; waiting for an offer that fits.',
    owner: 'vm-scheduler',
    deadlineMs: 30 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['launching', ...EXECUTOR_STATES, 'unreachable'],
  },
  launching: {
    kind: 'transitional',
    meaning: 'Its task is launched on a host; the executor has not spoken of it yet.',
    owner: 'vm-scheduler',
    deadlineMs: 2 * MINUTE_MS,
    onDeadline: 'scheduled',
    next: ['scheduled', ...EXECUTOR_STATES, 'unreachable'],
  },
  preparing: {
    kind: 'transitional',
    meaning: 'The host makes its disk, seed and address.',
    owner: 'vm-executor',
    deadlineMs: 10 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['starting', 'deleting', 'deleted', 'failed', 'stopped', 'running', 'unreachable'],
  },
  starting: {
    kind: 'transitional',
    meaning: 'The hypervisor is powering it on.',
    owner: 'vm-executor',
    deadlineMs: 3 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['running', 'stopping', 'stopped', 'suspended', ...ENDS],
  },
  running: {
    kind: 'stable',
    meaning: 'The machine is on.',
    next: [
      'stopping',
      'stopped',
      'rebooting',
      'reverting',
      'starting',
      'suspending',
      'suspended',
      'resuming',
      'resizing',
      'rebuilding',
      ...ENDS,
    ],
  },
  stopping: {
    kind: 'transitional',
    meaning: 'Asked to power off by ACPI; forced off after the grace period.',
    owner: 'vm-executor',
    deadlineMs: 2 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['stopped', 'running', 'starting', 'suspended', ...ENDS],
  },
  stopped: {
    kind: 'stable',
    meaning: 'The machine is off; its disk is kept.',
    next: [
      'starting',
      'running',
      'stopping',
      'suspended',
      'resuming',
      'resizing',
      'rebuilding',
      'reverting',
      ...ENDS,
    ],
  },
  rebooting: {
    kind: 'transitional',
    meaning: 'Restarting.',
    owner: 'vm-executor',
    deadlineMs: 3 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['starting', 'running', 'stopping', 'stopped', 'suspended', ...ENDS],
  },
  suspending: {
    kind: 'transitional',
    meaning: 'Its memory is being written to a file on its host.',
    owner: 'vm-executor',
    deadlineMs: 10 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['suspended', 'running', 'stopping', 'stopped', 'resuming', ...ENDS],
  },
  suspended: {
    kind: 'stable',
    meaning: 'It stands still; its memory is kept, and it goes on from there when it is resumed.',
    next: ['resuming', 'running', 'stopping', 'stopped', 'starting', 'suspending', ...ENDS],
  },
  resuming: {
    kind: 'transitional',
    meaning: 'Its memory is being read back.',
    owner: 'vm-executor',
    deadlineMs: 5 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['running', 'suspending', 'suspended', 'stopping', 'stopped', 'starting', ...ENDS],
  },
  resizing: {
    kind: 'transitional',
    meaning: 'Off; its task, its disk and its domain get another size.',
    owner: 'vm-executor',
    deadlineMs: 5 * MINUTE_MS,
    onDeadline: 'failed',
    next: [
      'stopped',
      'starting',
      'running',
      'stopping',
      'suspended',
      'resuming',
      'rebuilding',
      ...ENDS,
    ],
  },
  rebuilding: {
    kind: 'transitional',
    meaning: 'It is powered off, and its disk is replaced by a new one of an image.',
    owner: 'vm-executor',
    deadlineMs: 10 * MINUTE_MS,
    onDeadline: 'failed',
    next: [
      'starting',
      'running',
      'stopping',
      'stopped',
      'suspended',
      'resuming',
      'resizing',
      ...ENDS,
    ],
  },
  reverting: {
    kind: 'transitional',
    meaning: 'Off, while its disk becomes again what it was at a snapshot.',
    owner: 'vm-executor',
    deadlineMs: 10 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['starting', 'running', 'stopping', 'stopped', ...ENDS],
  },
  deleting: {
    kind: 'transitional',
    meaning: 'Its domain, disk and address are being removed.',
    owner: 'vm-executor',
    deadlineMs: 5 * MINUTE_MS,
    onDeadline: 'failed',
    next: ['deleted', 'failed', 'unreachable'],
  },
  deleted: { kind: 'terminal', meaning: 'Gone, with everything that belonged to it.', next: [] },
  failed: {
    kind: 'stable',
    meaning: 'It could not be made or was lost; the reason says why. It can be started or deleted.',
    next: [
      'scheduled',
      'launching',
      ...EXECUTOR_STATES.filter((state) => state !== 'failed'),
      'unreachable',
    ],
  },
  unreachable: {
    kind: 'stable',
    meaning:
      'Its host or executor is silent. It may still be running: nothing is started elsewhere.',
    next: ['scheduled', 'launching', ...EXECUTOR_STATES],
  },
};

/** Whether the table lets a VM go from one state to the other. Staying is always allowed. */
export function isTransitionAllowed(from: VmState, to: VmState): boolean {
  return from === to || VM_STATE_TABLE[from].next.includes(to);
}

/**
 * Whether a VM that was last seen in `from` may be found in `to`. Words of a host may be lost, so
 * states between the two may have gone by unseen: any path through the table will do.
 */
export function isStateReachable(from: VmState, to: VmState): boolean {
  const reached = new Set<VmState>([from]);
  for (const state of reached) for (const next of VM_STATE_TABLE[state].next) reached.add(next);
  return reached.has(to);
}

/** When the state's owner must have moved the VM on, or `undefined` for states that may last. */
export function stateDeadlineMs(state: VmState, sinceMs: number): number | undefined {
  const rule = VM_STATE_TABLE[state];
  return rule.kind === 'transitional' ? sinceMs + rule.deadlineMs : undefined;
}

/** What the user wants of a VM. */
export const DESIRED_STATES = ['running', 'stopped', 'suspended', 'deleted'] as const;
export type DesiredState = (typeof DESIRED_STATES)[number];

/** Why a VM is where it is, when that needs saying. Stable codes; the message is for people. */
export const VM_REASONS = [
  'NO_CAPACITY',
  'IMAGE_MISSING',
  'IMAGE_CORRUPT',
  'DISK_FULL',
  'STORAGE_UNAVAILABLE',
  'NETWORK_ERROR',
  'HYPERVISOR_ERROR',
  'HYPERVISOR_UNAVAILABLE',
  'GUEST_POWERED_OFF',
  'GUEST_CRASHED',
  'KILLED_FROM_OUTSIDE',
  'FORCED_OFF',
  'EXECUTOR_LOST',
  'AGENT_LOST',
  'LAUNCH_REFUSED',
  'COMMAND_REFUSED',
  'DEADLINE_EXCEEDED',
  'STOPPED_BY_USER',
  'ADOPTED',
  'IO_ERROR',
  'STORAGE_READONLY',
  'VOLUME_LOCKED',
  'GUEST_AGENT_AWAY',
  'ORPHANED',
  'QUARANTINED',
  'RECORD_UNREADABLE',
  'IMAGE_REFUSED',
  'SUBNET_UNAVAILABLE',
  'PAUSED_FROM_OUTSIDE',
  'CANNOT_SUSPEND',
  'MEMORY_LOST',
  'HOST_RESTARTED',
  'GPU_UNAVAILABLE',
  'CPUS_UNAVAILABLE',
  'HUGEPAGES_UNAVAILABLE',
  'CPU_MODEL_UNAVAILABLE',
  /** Its cluster gave it up without having placed it. */
  'WITHDRAWN',
  /** It was deleted to make room for others. */
  'PREEMPTED',
  /** Of an operation: somebody asked for its end. */
  'CANCELLED',
  'CANNOT_ATTACH',
  'VOLUME_BUSY',
  /** Read, never reported: nobody knows how it is until its cluster is heard again. */
  'CLUSTER_SILENT',
] as const;
export type VmReason = (typeof VM_REASONS)[number];

/** Stages of a VM's making, in order; each is stamped with the time at which it was reached. */
export const VM_STAGES = [
  'accepted',
  'planned',
  'offered',
  'launched',
  /** The executor on its host has taken it over. */
  'taken',
  /** Its disk is made, on top of the image. */
  'image',
  'defined',
  'started',
  'seen',
  'ready',
] as const;
export type VmStage = (typeof VM_STAGES)[number];
