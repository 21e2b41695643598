import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';

/** A PCI device's address: domain, bus, slot, function. */
const PCI_ADDRESS = /^([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/;

/** Whether it is a PCI device's address as Linux writes it: `0000:3b:00.0`. */
export function isPciAddress(text: string): boolean {
  return PCI_ADDRESS.test(text);
}

/** PCI devices passed through: with `managed`, libvirt takes them from the host's driver. */
export function hostDevices(plan: DomainPlan): readonly XmlElement[] {
  return (plan.hostDevices ?? []).map((address) => {
    const [, domain, bus, slot, fn] = PCI_ADDRESS.exec(address) ?? [];
    const source = {
      domain: `0x${domain}`,
      bus: `0x${bus}`,
      slot: `0x${slot}`,
      function: `0x${fn}`,
    };
    return xml(
      'hostdev',
      { mode: 'subsystem', type: 'pci', managed: 'yes' },
      xml('source', {}, xml('address', source)),
    );
  });
}
