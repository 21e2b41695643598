import type { DomainPlan } from '../domain-plan.ts';
import { domainName, domainUuid, type Owner } from '../names.ts';
import { renderXml, type XmlElement, xml } from '../xml.ts';
import { agentChannel, serialConsole } from './channels.ts';
import { checkPlan } from './check.ts';
import { cpu, cpuPinning, vcpus } from './cpu.ts';
import { disks } from './disks.ts';
import { filesystems } from './filesystems.ts';
import { screen } from './graphics.ts';
import { hostDevices } from './hostdevs.ts';
import { type DomainType, type Machine, machineOf } from './machine.ts';
import { memoryBacking, memoryPlacement } from './memory.ts';
import { metadata } from './metadata.ts';
import { nics } from './nics.ts';
import { clock, features, os, powerManagement, tpm } from './os.ts';
import { hotPlugPorts } from './ports.ts';

export type { DomainType } from './machine.ts';

/**
 * The domain's definition as libvirt's XML (https://libvirt.org/formatdomain.html).
 * @throws ImpossibleDomainError when the plan asks for what can't go together.
 */
export function domainXml(plan: DomainPlan, type: DomainType, owner: Owner): string {
  checkPlan(plan);
  const machine = machineOf(plan, type);
  return renderXml(
    xml(
      'domain',
      { type },
      xml('name', {}, domainName(plan.vmId)),
      xml('uuid', {}, domainUuid(plan.vmId)),
      xml('metadata', {}, metadata(plan, owner)),
      xml('memory', { unit: 'MiB' }, plan.memoryMiB),
      ...memoryBacking(plan),
      vcpus(plan),
      ...cpuPinning(plan),
      ...memoryPlacement(plan),
      os(plan, machine),
      features(machine),
      cpu(plan, machine),
      clock(machine),
      xml('on_poweroff', {}, 'destroy'),
      xml('on_reboot', {}, 'restart'),
      xml('on_crash', {}, 'destroy'),
      ...powerManagement(machine),
      xml('devices', {}, ...devices(plan, machine)),
    ),
  );
}

function devices(plan: DomainPlan, machine: Machine): readonly XmlElement[] {
  return [
    ...hotPlugPorts(plan, machine),
    ...disks(plan, machine),
    ...filesystems(plan),
    ...nics(plan, machine),
    ...serialConsole(plan),
    ...agentChannel(plan),
    ...(machine.hasVirtio ? [randomNumbers()] : []),
    ...tpm(machine),
    ...screen(plan, machine),
    ...hostDevices(plan),
    xml('memballoon', { model: 'none' }),
    // Unless told otherwise libvirt adds USB, and it costs the guest's start some time.
    xml('controller', { type: 'usb', model: machine.isWindows ? 'qemu-xhci' : 'none' }),
  ];
}

function randomNumbers(): XmlElement {
  return xml('rng', { model: 'virtio' }, xml('backend', { model: 'random' }, '/dev/urandom'));
}
