import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';
import type { Machine } from './machine.ts';

/**
 * TCG's translation cache. Its default is 1 GiB a guest; with 32 MiB a 128 MiB guest costs about
 * 170 MB of host memory (measured on QEMU 7.2).
 */
const TCG_CACHE_MIB = 32;

/**
 * The firmware and what it boots. Which of the host's OVMF files are used libvirt finds in
 * /usr/share/qemu/firmware; they are named differently on each distribution.
 */
export function os(plan: DomainPlan, { firmware }: Machine): XmlElement {
  const type = xml('type', { arch: 'x86_64', machine: 'q35' }, 'hvm');
  const boot = xml('boot', { dev: 'hd' });
  if (firmware === 'bios') return xml('os', {}, type, boot);
  const enabled = firmware === 'uefi-secure' ? 'yes' : 'no';
  return xml(
    'os',
    { firmware: 'efi' },
    type,
    xml(
      'firmware',
      {},
      // Without the vendors' keys nothing would be verified.
      xml('feature', { enabled, name: 'enrolled-keys' }),
      xml('feature', { enabled, name: 'secure-boot' }),
    ),
    ...(plan.nvramPath === undefined ? [] : [xml('nvram', {}, plan.nvramPath)]),
    boot,
  );
}

/** What the platform has, and what it tells the guest of itself. */
export function features(machine: Machine): XmlElement {
  const { type, firmware, isWindows } = machine;
  const cache = xml('tcg', {}, xml('tb-cache', { unit: 'MiB' }, TCG_CACHE_MIB));
  return xml(
    'features',
    {},
    xml('acpi'),
    xml('apic'),
    ...(isWindows && type === 'kvm' ? [hyperv()] : []),
    // Secure Boot's variables are written in system management mode only.
    ...(firmware === 'uefi-secure' ? [xml('smm', { state: 'on' })] : []),
    ...(type === 'qemu' ? [cache] : []),
  );
}

/**
 * Windows asks less of a machine that it knows to be virtual. It is KVM that answers: TCG has none
 * of it. Those that QEMU's documentation recommends for all CPUs
 * (https://www.qemu.org/docs/master/system/i386/hyperv.html); `evmcs` is Intel's alone.
 */
function hyperv(): XmlElement {
  const on = { state: 'on' };
  return xml(
    'hyperv',
    { mode: 'custom' },
    xml('relaxed', on),
    xml('vapic', on),
    xml('spinlocks', { ...on, retries: 8191 }),
    xml('vpindex', on),
    xml('runtime', on),
    xml('synic', on),
    xml('stimer', on),
    xml('frequencies', on),
    xml('tlbflush', on),
    xml('ipi', on),
  );
}

/**
 * Windows takes the hardware clock for local time, and is quick to lose ticks. No guest needs an HPET,
 * which QEMU emulates in its main loop, beside its monitor (Nova leaves it out, too).
 */
export function clock({ type, isWindows }: Machine): XmlElement {
  const noHpet = xml('timer', { name: 'hpet', present: 'no' });
  if (!isWindows) return xml('clock', { offset: 'utc' }, noHpet);
  return xml(
    'clock',
    { offset: 'localtime' },
    xml('timer', { name: 'rtc', tickpolicy: 'catchup' }),
    xml('timer', { name: 'pit', tickpolicy: 'delay' }),
    noHpet,
    ...(type === 'kvm' ? [xml('timer', { name: 'hypervclock', present: 'yes' })] : []),
  );
}

/** A Windows guest left alone goes to sleep, and nobody wakes it: it is not offered to. */
export function powerManagement({ isWindows }: Machine): readonly XmlElement[] {
  if (!isWindows) return [];
  const no = { enabled: 'no' };
  return [xml('pm', {}, xml('suspend-to-mem', no), xml('suspend-to-disk', no))];
}

/** A TPM 2.0, emulated by swtpm. */
export function tpm({ hasTpm }: Machine): readonly XmlElement[] {
  if (!hasTpm) return [];
  return [xml('tpm', { model: 'tpm-crb' }, xml('backend', { type: 'emulator', version: '2.0' }))];
}
