import { domainName, domainUuid, METADATA_NAMESPACE, networkName, type Owner } from './names.ts';
import type { DomainPlan } from './port.ts';
import { renderXml, type XmlElement, xml } from './xml.ts';

/** `kvm` where the host truly runs guests with it, else `qemu` (emulation, TCG). */
export type DomainType = 'kvm' | 'qemu';

/**
 * TCG's translation cache. Its default is 1 GiB a guest; with 32 MiB a 128 MiB guest costs about
 * 170 MB of host memory (measured on QEMU 7.2).
 */
const TCG_CACHE_MIB = 32;

/** The domain's definition as libvirt's XML (https://libvirt.org/formatdomain.html). */
export function domainXml(plan: DomainPlan, type: DomainType, owner: Owner): string {
  return renderXml(
    xml(
      'domain',
      { type },
      xml('name', {}, domainName(plan.vmId)),
      xml('uuid', {}, domainUuid(plan.vmId)),
      xml('metadata', {}, metadata(plan, owner)),
      xml('memory', { unit: 'MiB' }, plan.memoryMiB),
      xml('vcpu', { placement: 'static' }, plan.vcpus),
      xml(
        'os',
        {},
        xml('type', { arch: 'x86_64', machine: 'q35' }, 'hvm'),
        xml('boot', { dev: 'hd' }),
      ),
      features(type),
      cpu(type),
      xml('clock', { offset: 'utc' }),
      xml('on_poweroff', {}, 'destroy'),
      xml('on_reboot', {}, 'restart'),
      xml('on_crash', {}, 'destroy'),
      devices(plan, owner),
    ),
  );
}

/** By this a domain is found again after any restart of ours. */
function metadata(plan: DomainPlan, owner: Owner): XmlElement {
  return xml('factory:vm', {
    'xmlns:factory': METADATA_NAMESPACE,
    instance: owner.instance,
    host: owner.hostName,
    id: plan.vmId,
    generation: plan.generation,
  });
}

function features(type: DomainType): XmlElement {
  const cache = xml('tcg', {}, xml('tb-cache', { unit: 'MiB' }, TCG_CACHE_MIB));
  return xml('features', {}, xml('acpi'), xml('apic'), ...(type === 'qemu' ? [cache] : []));
}

function cpu(type: DomainType): XmlElement {
  return xml('cpu', { mode: type === 'kvm' ? 'host-passthrough' : 'maximum' });
}

function devices(plan: DomainPlan, owner: Owner): XmlElement {
  return xml(
    'devices',
    {},
    disk(plan),
    seed(plan),
    xml(
      'interface',
      { type: 'network' },
      xml('mac', { address: plan.macAddress }),
      xml('source', { network: networkName(owner.instance, plan.subnetId) }),
      xml('model', { type: 'virtio' }),
    ),
    // A pty, so that a console can be attached; virtlogd keeps what is written.
    xml(
      'serial',
      { type: 'pty' },
      xml('log', { file: plan.consolePath, append: 'on' }),
      xml('target', { port: 0 }),
    ),
    xml('console', { type: 'pty' }, xml('target', { type: 'serial', port: 0 })),
    xml('rng', { model: 'virtio' }, xml('backend', { model: 'random' }, '/dev/urandom')),
    xml('memballoon', { model: 'none' }),
    // Unless told otherwise libvirt adds these, and each costs the guest's start some time.
    xml('controller', { type: 'usb', model: 'none' }),
  );
}

function disk(plan: DomainPlan): XmlElement {
  return xml(
    'disk',
    { type: 'file', device: 'disk' },
    xml('driver', { name: 'qemu', type: 'qcow2', discard: 'unmap' }),
    xml('source', { file: plan.diskPath }),
    xml('target', { dev: 'vda', bus: 'virtio' }),
  );
}

function seed(plan: DomainPlan): XmlElement {
  return xml(
    'disk',
    { type: 'file', device: 'disk' },
    xml('driver', { name: 'qemu', type: 'raw' }),
    xml('source', { file: plan.seedPath }),
    xml('target', { dev: 'vdb', bus: 'virtio' }),
    xml('readonly'),
  );
}
