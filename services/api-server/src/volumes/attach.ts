import type { BatchVolume, VmState } from '@factory/contracts';
import type { VmRecord } from '../vms/store.ts';
import type { WishDecision } from '../vms/wishes.ts';
import { bindVolumes } from './bind.ts';
import type { VolumeView } from './store.ts';

/** States in which a machine gets and loses volumes. */
const CHANGEABLE: readonly VmState[] = ['running', 'stopped'];
/** Volumes that a machine may have. */
const VOLUMES_MAX = 16;

/** What attaching or detaching a volume makes of a machine, or why it can't be. */
export type VolumeChange = (vm: VmRecord, volume: VolumeView | undefined) => WishDecision;

/** Gives a machine a volume: at once if it runs, else with its next start. Pure. */
export function attachVolume(wanted: BatchVolume): VolumeChange {
  return (vm, view) => {
    const problem = problemOf(vm);
    if (problem !== undefined) return problem;
    if (view !== undefined && has(vm, view)) return { kind: 'unchanged' };
    if (vm.volumes.length >= VOLUMES_MAX) return refused(`${vm.name} has ${VOLUMES_MAX} volumes.`);
    if (view !== undefined && vm.leavingVolumes.includes(view.volume.id)) {
      return refused(`${wanted.volume} is just being taken from ${vm.name}; try again then.`);
    }
    const binding = bindVolumes([wanted], 1, view === undefined ? [] : [view]);
    if (binding.kind === 'refused') return binding;
    const { mounts, clusterId } = binding.volumes;
    if (clusterId !== vm.clusterId) {
      return refused(`${vm.name} is in another cluster than the volume ${wanted.volume}.`);
    }
    return changed(vm, [...vm.volumes, ...mounts]);
  };
}

/** Takes a volume from a machine. Pure. */
export const detachVolume: VolumeChange = (vm, view) => {
  if (view === undefined || !has(vm, view)) return { kind: 'unchanged' };
  const problem = problemOf(vm);
  if (problem !== undefined) return problem;
  const { id } = view.volume;
  const left = vm.volumes.filter(({ volumeId }) => volumeId !== id);
  // A guest that is on may still write to it; what it is off has no say.
  const leavingVolumes = vm.state === 'stopped' ? vm.leavingVolumes : [...vm.leavingVolumes, id];
  return changed({ ...vm, leavingVolumes }, left);
};

function problemOf(vm: VmRecord): WishDecision | undefined {
  if (vm.desired === 'deleted') return refused(`${vm.name} is being deleted.`);
  if (vm.state === vm.desired && CHANGEABLE.includes(vm.state)) return undefined;
  const next = vm.state === vm.desired ? 'stop it first' : 'try again then';
  return refused(
    `${vm.name} is ${vm.state}. Volumes are changed while it is running or stopped: ${next}.`,
  );
}

function has({ volumes }: VmRecord, { volume }: VolumeView): boolean {
  return volumes.some(({ volumeId }) => volumeId === volume.id);
}

function changed(vm: VmRecord, volumes: VmRecord['volumes']): WishDecision {
  const wished = { ...vm, volumes, generation: vm.generation + 1 };
  return { kind: 'changed', vm: wished, hasNewSpec: true };
}

function refused(detail: string): WishDecision {
  return { kind: 'refused', detail };
}
