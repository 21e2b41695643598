import { isDeepStrictEqual } from 'node:util';
import type { VmChange } from '@factory/contracts';
import { isToldAtOnce, wishedAgain } from '../subnets/network-change.ts';
import type { VmRecord } from './store.ts';
import type { WishDecision } from './wishes.ts';

/**
 * Whether and how a machine's networks change, whatever state it is in. One that is not where it is
 * wished gets no wish, which would start it: it hears of the change when it is started.
 */
export function decideChange(vm: VmRecord, change: VmChange): WishDecision {
  if (vm.desired === 'deleted') {
    return { kind: 'refused', detail: `${vm.name} is being deleted; that can't be undone.` };
  }
  const { securityRules = vm.securityRules, externalAddress = vm.wantsExternal } = change;
  const next: VmRecord = { ...vm, securityRules, wantsExternal: externalAddress };
  if (isDeepStrictEqual(next, vm) && !isAskedAgain(vm, change)) return { kind: 'unchanged' };
  if (!isToldAtOnce(next)) return { kind: 'changed', vm: next };
  return { kind: 'changed', vm: wishedAgain(next), hasNewSpec: true };
}

/** Its host had no address left when it was asked for one. */
function isAskedAgain(vm: VmRecord, change: VmChange): boolean {
  const isDone = vm.appliedGeneration >= vm.generation;
  return change.externalAddress === true && vm.externalAddress === null && isDone;
}
