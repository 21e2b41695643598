import { isDeepStrictEqual } from 'node:util';
import type { VmNetwork, VmSpec } from '@factory/contracts';
import type { VmRecord } from './record.ts';

/** What a VM is, and what it is to be. */
type Specs = Pick<VmRecord, 'spec' | 'wishedSpec'>;

/**
 * Parts of a spec that are changed each by a move of its own, in this order; `others` is what counts
 * when it is needed next, so that nothing has to be done for it.
 */
export type SpecChange = 'image' | 'size' | 'volumes' | 'networks' | 'others';

/** The record with a spec to be reached; null when it is so already. */
export function withSpec<R extends Specs>(record: R, wished: VmSpec): R {
  const { spec } = record;
  // A disk is only replaced on somebody's explicit word; else the image is the one that it is of.
  const image = isRebuild(spec, wished) ? wished.image : spec.image;
  const next = { ...wished, image };
  return { ...record, wishedSpec: isDeepStrictEqual(spec, next) ? null : next };
}

function isRebuild({ image }: VmSpec, { image: wished }: VmSpec): boolean {
  return (wished.generation ?? 0) > (image.generation ?? 0);
}

/** What has to be changed next; undefined when the VM is what it is to be. */
export function nextChange({ spec, wishedSpec: wished }: Specs): SpecChange | undefined {
  if (wished === null) return undefined;
  if (isRebuild(spec, wished)) return 'image';
  if (!isDeepStrictEqual(sizeOf(spec), sizeOf(wished))) return 'size';
  if (!isDeepStrictEqual(spec.volumes ?? [], wished.volumes ?? [])) return 'volumes';
  if (!isDeepStrictEqual(networksOf(spec), networksOf(wished))) return 'networks';
  if (hasOtherExternal({ spec, wishedSpec: wished })) return 'networks';
  return 'others';
}

/** The record after this part was changed. */
export function settleChange<R extends Specs>(record: R, change: SpecChange): R {
  const { spec, wishedSpec: wished } = record;
  if (wished === null) return record;
  // What may have been plugged in on the way there, or on another way, is in neither any more.
  const way = change === 'volumes' ? { plugging: [] } : {};
  return withSpec({ ...record, ...way, spec: reached(spec, wished, change) }, wished);
}

/** The spec, with the volumes of another one. */
export function withVolumesOf(spec: VmSpec, { volumes }: VmSpec): VmSpec {
  const { volumes: _, ...others } = spec;
  return volumes === undefined ? others : { ...others, volumes };
}

/** The record of a VM that stays what it is. */
export function giveUpChange<R extends Specs>(record: R): R {
  return record.wishedSpec === null ? record : { ...record, wishedSpec: null };
}

/** Whether a machine is to have other cards than it has, not just other rules for them. */
export function hasOtherCards({ spec, wishedSpec: wished }: Specs): boolean {
  const cards = (each: VmSpec) => networksOf(each).map((nic) => [nic.macAddress, nic.ipAddress]);
  return wished !== null && !isDeepStrictEqual(cards(spec), cards(wished));
}

/** Whether a machine gets an external address, or loses its own. */
export function hasOtherExternal({ spec, wishedSpec: wished }: Specs): boolean {
  const isToHave = (each: VmSpec): boolean => each.externalAddress === true;
  return wished !== null && isToHave(spec) !== isToHave(wished);
}

/** The record of a machine that gets no external address by its present wish. */
export function withoutExternal<R extends Specs>(record: R): R {
  if (record.wishedSpec === null) return record;
  return withSpec(record, { ...record.wishedSpec, externalAddress: false });
}

function networksOf({ network, nics = [] }: VmSpec): readonly VmNetwork[] {
  return [network, ...nics];
}

function sizeOf({ vcpus, memoryMiB, diskGiB }: VmSpec) {
  return { vcpus, memoryMiB, diskGiB };
}

function reached(spec: VmSpec, wished: VmSpec, change: SpecChange): VmSpec {
  switch (change) {
    case 'image':
      return { ...spec, image: wished.image };
    case 'size':
      return { ...spec, ...sizeOf(wished) };
    case 'volumes':
      return withVolumesOf(spec, wished);
    case 'networks': {
      const { nics: _, externalAddress: __, ...others } = spec;
      const { network, nics, externalAddress } = wished;
      return {
        ...others,
        network,
        ...(nics === undefined ? {} : { nics }),
        ...(externalAddress === undefined ? {} : { externalAddress }),
      };
    }
    case 'others':
      return wished;
  }
}
