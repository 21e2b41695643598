import type { ClusterId, LinkCommand } from '@factory/contracts';
import type { BatchRecord } from '../batches/store.ts';
import {
  chunk,
  type SubnetsById,
  specOf,
  vmsPerCommand,
  wishCommands,
} from '../planning/assignments.ts';
import type { VmRecord } from '../vms/store.ts';
import type { SubnetPatch } from './store.ts';

/** Whether hosts have to know of a change of a subnet. */
export function concernsHosts({ egress, securityRules }: SubnetPatch): boolean {
  return egress !== undefined || securityRules !== undefined;
}

/**
 * Whether a machine's host is told now that its networks are others. It is a wish like any other, so
 * it would start a machine that has ended by itself; that one hears of it when it is started.
 */
export function isToldAtOnce(vm: VmRecord): boolean {
  if (vm.clusterId === null || vm.desired === 'deleted' || vm.state === 'deleted') return false;
  if (vm.desired !== 'running') return true;
  if (vm.state === 'failed') return false;
  const isBeingStarted = vm.generation > vm.appliedGeneration;
  return vm.state !== 'stopped' || isBeingStarted;
}

/** The machine with one more wish, whose spec has the networks as they are now. */
export function wishedAgain(vm: VmRecord): VmRecord {
  return { ...vm, generation: vm.generation + 1 };
}

/** Commands of bounded size that give machines of one batch their specs anew, in order. */
export function networkCommands(
  vms: readonly VmRecord[],
  batch: BatchRecord,
  subnets: SubnetsById,
): readonly (readonly [ClusterId, LinkCommand])[] {
  return chunk(vms, vmsPerCommand(batch, subnets)).flatMap((piece) => {
    const wishes = piece.map((vm) => ({ ...vm, spec: specOf(vm, batch, subnets) }));
    return [...wishCommands(wishes)].flatMap(([clusterId, commands]) =>
      commands.map((command) => [clusterId, command] as const),
    );
  });
}
