import type { DesiredState, QuotaAmounts, VmState } from '@factory/contracts';
import type { VmRecord } from './store.ts';
import type { WishDecision } from './wishes.ts';

/** A machine's size, of which what is not named stays. */
export interface SizeWish {
  readonly vcpus?: number;
  readonly memoryMiB?: number;
  readonly diskGiB?: number;
}

/** The image that a machine's disk is made of anew. */
export interface ImageWish {
  readonly image: string;
  /** Null: that of the name, for images of before they had versions. */
  readonly imageVersion: string | null;
}

/** Whether and how a machine gets another size. It is off for that: nobody's work is cut short. */
export function decideResize(vm: VmRecord, size: SizeWish): WishDecision {
  const refusal = whyNot(vm, 'resized', ['stopped']);
  if (refusal !== undefined) return refuse(refusal);
  const { vcpus, memoryMiB, diskGiB } = { ...sizeOf(vm), ...size };
  if (diskGiB < vm.diskGiB) {
    return refuse(`The disk of ${vm.name} has ${vm.diskGiB} GiB, and can only be made larger.`);
  }
  // One that powered itself off is still wished on; that must not start it now.
  const next: VmRecord = { ...vm, vcpus, memoryMiB, diskGiB, desired: 'stopped' };
  const isSame = vcpus === vm.vcpus && memoryMiB === vm.memoryMiB && diskGiB === vm.diskGiB;
  return isSame ? { kind: 'unchanged' } : changed(next);
}

/** What a wish takes more of a quota than the machine did. */
export function growthOf(vm: VmRecord, decision: WishDecision): Partial<QuotaAmounts> {
  if (decision.kind !== 'changed') return {};
  const next = decision.vm;
  return {
    vcpus: Math.max(0, next.vcpus - vm.vcpus),
    memoryMiB: Math.max(0, next.memoryMiB - vm.memoryMiB),
    diskGiB: Math.max(0, next.diskGiB - vm.diskGiB),
  };
}

/** Whether and how a machine's disk is made anew of an image; it runs afterwards if it ran. */
export function decideRebuild(vm: VmRecord, wish: ImageWish): WishDecision {
  const refusal = whyNot(vm, 'rebuilt', ['running', 'stopped', 'failed']);
  if (refusal !== undefined) return refuse(refusal);
  const imageGeneration = vm.generation + 1;
  return changed({ ...vm, ...wish, imageGeneration, desired: desiredAfter(vm) });
}

/** As it is, so it is to be; what failed is to be what it was to be. */
function desiredAfter({ state, desired }: VmRecord): DesiredState {
  if (state === 'running' || state === 'stopped') return state;
  return desired === 'suspended' ? 'running' : desired;
}

function whyNot(vm: VmRecord, what: string, states: readonly VmState[]): string | undefined {
  if (vm.desired === 'deleted') return `${vm.name} is being deleted; that can't be undone.`;
  if (vm.clusterId === null) return `${vm.name} has no cluster yet; wait for it.`;
  if (!states.includes(vm.state)) {
    const known = states.join(' or ');
    const how = states.includes('running') ? '' : '; stop it first';
    return `${vm.name} is ${vm.state}. Only a ${known} machine can be ${what}${how}.`;
  }
  const isOpen = vm.generation > vm.appliedGeneration && vm.state !== 'failed';
  return isOpen ? `${vm.name} is about to change; wait until it has.` : undefined;
}

function changed(vm: VmRecord): WishDecision {
  return { kind: 'changed', vm: { ...vm, generation: vm.generation + 1 }, hasNewSpec: true };
}

function sizeOf({ vcpus, memoryMiB, diskGiB }: VmRecord) {
  return { vcpus, memoryMiB, diskGiB };
}

function refuse(detail: string): WishDecision {
  return { kind: 'refused', detail };
}
