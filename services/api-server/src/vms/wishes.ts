import type { DesiredState, VmState } from '@factory/contracts';
import type { VmRecord } from './store.ts';

/** What a user may wish of a machine. */
export type Wish = 'start' | 'stop' | 'suspend' | 'resume' | 'delete';

export type WishDecision =
  | { readonly kind: 'refused'; readonly detail: string }
  /** It is wished already. */
  | { readonly kind: 'unchanged' }
  /** The machine as it is then; its cluster, if it has one, is told, of what it is to be as well. */
  | { readonly kind: 'changed'; readonly vm: VmRecord; readonly hasNewSpec?: boolean };

const DESIRED: Readonly<Record<Wish, DesiredState>> = {
  start: 'running',
  stop: 'stopped',
  suspend: 'suspended',
  resume: 'running',
  delete: 'deleted',
};

/** States in which a wish makes sense; anything may be deleted. */
const ALLOWED: Readonly<Record<Exclude<Wish, 'delete'>, readonly VmState[]>> = {
  start: ['stopped', 'suspended', 'failed'],
  stop: [
    ...(['running', 'starting', 'rebooting', 'unreachable'] as const),
    // Its memory is thrown away then; also of one that could not be resumed.
    ...(['suspending', 'suspended', 'resuming', 'failed'] as const),
  ],
  suspend: ['running'],
  resume: ['suspended'],
};

/** What to do instead, by what was asked. */
const ADVICE: Readonly<Record<Exclude<Wish, 'delete'>, string>> = {
  start: 'Only a stopped, suspended or failed machine can be started',
  stop: 'Only a running machine can be stopped; one that is not needed can be deleted at any time',
  suspend: 'Only a running machine can be suspended; start it first',
  resume: 'Only a suspended machine can be resumed; start it instead',
};

/** Whether and how a wish changes a machine. */
export function decideWish(vm: VmRecord, wish: Wish, nowMs: number): WishDecision {
  const desired = DESIRED[wish];
  if (vm.desired === 'deleted' && wish !== 'delete') return refuseDeleted(vm);
  // Asked before, and the host has not come to it yet. What failed may be asked again.
  const isUnderWay = vm.desired === 'deleted' || vm.generation > vm.appliedGeneration;
  if (vm.desired === desired && isUnderWay && vm.state !== 'failed') return { kind: 'unchanged' };
  if (wish !== 'delete' && !isAllowed(vm, wish)) return refuse(vm, wish);
  const wished = { ...vm, desired, generation: vm.generation + 1 };
  if (vm.clusterId === null) return { kind: 'changed', vm: applyAtOnce(wished, nowMs) };
  // What became of its networks while it was off is in its spec.
  return { kind: 'changed', vm: wished, ...(desired === 'running' ? { hasNewSpec: true } : {}) };
}

/** One whose host is silent is what was wished of it last, and obeys when it is heard again. */
function isAllowed({ state, desired }: VmRecord, wish: Exclude<Wish, 'delete'>): boolean {
  if (state !== 'unreachable' || wish === 'stop') return ALLOWED[wish].includes(state);
  const presumed = desired === 'deleted' ? state : desired;
  return ALLOWED[wish].includes(presumed);
}

/** Whether the machine is as wished, and nothing else was wished since. */
export function isAsWished(vm: VmRecord, wish: Exclude<Wish, 'delete'>): boolean {
  const desired = DESIRED[wish];
  return vm.desired === desired && vm.state === desired && vm.appliedGeneration >= vm.generation;
}

/** No cluster has it, so it is ours to move: it is gone, or waits for a cluster again. */
function applyAtOnce(vm: VmRecord, nowMs: number): VmRecord {
  const state = vm.desired === 'deleted' ? 'deleted' : 'pending';
  return { ...vm, state, stateSinceMs: nowMs, reason: null, message: null };
}

function refuse(vm: VmRecord, what: Exclude<Wish, 'delete'>) {
  return { kind: 'refused', detail: `${vm.name} is ${vm.state}. ${ADVICE[what]}.` } as const;
}

function refuseDeleted(vm: VmRecord) {
  return { kind: 'refused', detail: `${vm.name} is being deleted; that can't be undone.` } as const;
}
