import {
  type ClusterId,
  type DesiredState,
  type LinkCommand,
  VM_STATES,
  type VmState,
} from '@factory/contracts';
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

/** Where a machine stays, by itself or by somebody on its host, whatever was wished of it. */
const ELSEWHERE: Readonly<Record<DesiredState, readonly VmState[]>> = {
  running: ['stopped', 'suspended', 'failed'],
  stopped: ['running', 'suspended', 'failed'],
  suspended: ['running', 'stopped', 'failed'],
  deleted: VM_STATES,
};

/**
 * Whether a machine's host is told now that its networks are others. It is a wish like any other, so
 * it would start a machine that has ended by itself; such a one hears of it when it is started.
 */
export function isToldAtOnce(vm: VmRecord): boolean {
  if (vm.clusterId === null || vm.desired === 'deleted') return false;
  if (!ELSEWHERE[vm.desired].includes(vm.state)) return true;
  const isUnderWay = vm.generation > vm.appliedGeneration;
  return isUnderWay && vm.state !== 'failed';
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
  const rules = vms.map((vm) => vm.securityRules ?? batch.securityRules);
  const longest = rules.reduce((a, b) => (b.length > a.length ? b : a), []);
  const size = vmsPerCommand({ ...batch, securityRules: longest }, subnets);
  return chunk(vms, size).flatMap((piece) => {
    const wishes = piece.map((vm) => ({ ...vm, spec: specOf(vm, batch, subnets) }));
    return [...wishCommands(wishes)].flatMap(([clusterId, commands]) =>
      commands.map((command) => [clusterId, command] as const),
    );
  });
}
