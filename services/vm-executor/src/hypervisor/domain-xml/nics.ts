import type { DomainPlan, PlannedNic } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';
import type { Machine } from './machine.ts';

/** The guest's network cards. */
export function nics(plan: DomainPlan, machine: Machine): readonly XmlElement[] {
  const model = xml('model', { type: machine.hasVirtio ? 'virtio' : 'e1000e' });
  return [plan, ...(plan.nics ?? [])].map((planned) => tapNic(planned, model));
}

/** `managed='no'`: the tap is there already, and libvirt neither makes nor removes it. */
function tapNic(nic: PlannedNic, model: XmlElement): XmlElement {
  return xml(
    'interface',
    { type: 'ethernet' },
    xml('mac', { address: nic.macAddress }),
    xml('target', { dev: nic.tapName, managed: 'no' }),
    model,
    ...(nic.mtuBytes === undefined ? [] : [xml('mtu', { size: nic.mtuBytes })]),
  );
}
