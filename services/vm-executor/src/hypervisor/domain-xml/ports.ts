import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';
import type { Machine } from './machine.ts';

/** Devices that a guest on a BIOS can be given while it runs, at a time. */
const HOT_PLUG_PORTS = 4;

/**
 * A device of a q35 machine sits alone on a port, and ports can't be added while it runs; libvirt itself
 * leaves one free. Those named here are taken by the devices that it starts with, in turn, and the last
 * ones stay free. UEFI looks long at each port, and is left with the one.
 * Source: https://libvirt.org/pci-hotplug.html
 */
export function hotPlugPorts(plan: DomainPlan, machine: Machine): readonly XmlElement[] {
  // SATA's disks can't be plugged in while the machine runs.
  if (!machine.hasVirtio || machine.firmware !== 'bios') return [];
  const ports = devicesOnPorts(plan) + HOT_PLUG_PORTS;
  return [
    // libvirt takes the first one for the root itself, whatever its model says.
    xml('controller', { type: 'pci', index: 0, model: 'pcie-root' }),
    ...Array.from({ length: ports }, (_, at) =>
      xml('controller', { type: 'pci', index: at + 1, model: 'pcie-root-port' }),
    ),
  ];
}

function devicesOnPorts(plan: DomainPlan): number {
  const disks = 1 + (plan.volumes?.length ?? 0);
  const cards = 1 + (plan.nics?.length ?? 0);
  const others = (plan.filesystems?.length ?? 0) + (plan.hostDevices?.length ?? 0);
  const agent = plan.hasAgentChannel === true ? 1 : 0;
  // Random numbers; and the disk with the seed, or, of Windows, a USB controller.
  const always = 2;
  return disks + cards + others + agent + always;
}
