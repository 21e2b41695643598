import {
  type ActionKind,
  CONSOLE_OPENING_TIMEOUT_MS,
  type OperationKind,
  VM_STATES,
  type VmState,
} from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';
import type { OperationDecision, OperationRecord } from './store.ts';

/** When an operation can be done, and by when it has to be. */
interface OperationRule {
  /** Without an end by then it has failed. */
  readonly timeoutMs: number;
  readonly states: readonly VmState[];
  /** What to do in other states. */
  readonly advice: string;
}

const MINUTE_MS = 60_000;

/** States in which a disk is there, and nothing is being done to it. */
const atRest = {
  states: ['running', 'stopped', 'failed'],
  advice: 'Wait until it runs or is stopped',
} as const;

/** What may be looked at is looked at in any state but those before and after there is a disk. */
const WITH_DISK = VM_STATES.filter(
  (state) => !['pending', 'scheduled', 'launching', 'deleting', 'deleted'].includes(state),
);

export const OPERATION_RULES: Readonly<Record<OperationKind, OperationRule>> = {
  reboot: {
    timeoutMs: 5 * MINUTE_MS,
    states: ['running'],
    advice: 'Only a running machine can be rebooted; start it first',
  },
  reset: {
    timeoutMs: MINUTE_MS,
    states: ['running'],
    advice: 'Only a running machine can be reset; start it first',
  },
  screenshot: {
    timeoutMs: 20_000,
    states: ['running', 'starting', 'rebooting', 'stopping'],
    advice: 'Only a machine that is on shows something; start it first',
  },
  setPassword: {
    timeoutMs: MINUTE_MS,
    states: ['running'],
    advice: 'Only a running guest can be given a password; start it first',
  },
  addSshKey: {
    timeoutMs: MINUTE_MS,
    states: ['running'],
    advice: 'Only a running guest can be given a key; start it first',
  },
  snapshot: { timeoutMs: 5 * MINUTE_MS, ...atRest },
  deleteSnapshot: { timeoutMs: 10 * MINUTE_MS, ...atRest },
  revert: { timeoutMs: 10 * MINUTE_MS, ...atRest },
  metricsHistory: {
    timeoutMs: 15_000,
    states: WITH_DISK,
    advice: 'Nothing is known of what it used',
  },
  listSnapshots: { timeoutMs: 15_000, ...atRest, states: WITH_DISK },
  makeImage: {
    timeoutMs: 2 * 60 * MINUTE_MS,
    states: ['running', 'stopped'],
    advice: 'Only of a machine that runs or is stopped an image can be made',
  },
  cancel: {
    timeoutMs: 5 * MINUTE_MS,
    states: VM_STATES.filter((state) => state !== 'deleted'),
    advice: 'What was under way has ended with it',
  },
  readLog: {
    timeoutMs: 15_000,
    states: VM_STATES.filter((state) => state !== 'deleted'),
    advice: 'Its log is deleted with it',
  },
  console: {
    timeoutMs: CONSOLE_OPENING_TIMEOUT_MS,
    states: ['starting', 'running', 'rebooting'],
    advice: 'Only a machine that is on has a console; its log can be read at any time',
  },
};

/** What has ended in a moment anyway, or is the end of something else. */
const NEVER_CANCELLED: readonly ActionKind[] = [
  'readLog',
  'screenshot',
  'listSnapshots',
  'metricsHistory',
  'console',
  'cancel',
];

/** Why this operation can't be cancelled, and what to do; undefined: its host may be asked to. */
export function whyNotCancelled({
  id,
  kind,
  state,
  wishGeneration,
}: Pick<OperationRecord, 'id' | 'kind' | 'state' | 'wishGeneration'>): string | undefined {
  if (state !== 'running') return `The operation ${id} has ${state} already.`;
  if (wishGeneration !== null) {
    return `A ${kind} can't be cancelled; wish something else of the machine instead.`;
  }
  if (NEVER_CANCELLED.includes(kind))
    return `A ${kind} can't be cancelled; it ends by itself soon.`;
  return undefined;
}

/** Whether this can be done to the machine now; the detail says why not, and what to do. */
export function decideOperation(vm: VmRecord, kind: OperationKind): OperationDecision {
  const { states, advice } = OPERATION_RULES[kind];
  if (kind !== 'readLog' && vm.desired === 'deleted') {
    return refuse(`${vm.name} is being deleted; that can't be undone.`);
  }
  if (!states.includes(vm.state)) return refuse(`${vm.name} is ${vm.state}. ${advice}.`);
  if (vm.desired === 'stopped' && states.every((state) => state === 'running')) {
    return refuse(`${vm.name} was asked to stop; wait and start it.`);
  }
  return { kind: 'allowed' };
}

function refuse(detail: string): OperationDecision {
  return { kind: 'refused', detail };
}
