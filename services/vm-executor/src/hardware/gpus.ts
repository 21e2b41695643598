import type { PciDevice } from './port.ts';

/** A graphics card that can be passed to a guest. */
export interface UsableGpu {
  readonly address: string;
  readonly node: number | undefined;
  /** All that goes with it, itself included: its sound, its USB. */
  readonly functions: readonly string[];
}

/**
 * Whether a card can be passed through; if not, why, and what to do about it. What its IOMMU can't
 * tell from it must go with it, so nothing but functions of its own may be in its group
 * (https://docs.kernel.org/driver-api/vfio.html). Pure.
 */
export function checkGpu(
  address: string,
  device: PciDevice | undefined,
): UsableGpu | { readonly problem: string } {
  if (device === undefined) return { problem: `${address} is not there (see lspci -D).` };
  const { node, group } = device;
  if (group === undefined) {
    return {
      problem: `${address} can't be passed through: the host's IOMMU is off (intel_iommu=on, amd_iommu=on).`,
    };
  }
  const others = group.devices.filter((each) => slotOf(each.address) !== slotOf(address));
  if (others.length > 0) {
    const named = others.map((each) => `${each.address} (${each.driver ?? 'no driver'})`);
    const problem = `${address} shares its IOMMU group ${group.id} with ${named.join(', ')}.`;
    return { problem: `${problem} Put it in another slot.` };
  }
  return { address, node, functions: group.devices.map((each) => each.address) };
}

/** All but the function. */
function slotOf(address: string): string {
  return address.slice(0, address.lastIndexOf('.'));
}
