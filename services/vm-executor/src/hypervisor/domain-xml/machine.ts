import type { DomainPlan } from '../domain-plan.ts';

/** `kvm` where the host truly runs guests with it, else `qemu` (emulation, TCG). */
export type DomainType = 'kvm' | 'qemu';

/** What kind of machine a guest finds, with nothing left open. */
export interface Machine {
  readonly type: DomainType;
  readonly firmware: 'bios' | 'uefi' | 'uefi-secure';
  readonly isWindows: boolean;
  /** Without virtio its disks are SATA's and its cards e1000e. */
  readonly hasVirtio: boolean;
  readonly hasTpm: boolean;
}

/** The plan's machine, with defaults: a Linux guest on BIOS and virtio. */
export function machineOf({ hardware = {} }: DomainPlan, type: DomainType): Machine {
  return {
    type,
    firmware: hardware.firmware ?? 'bios',
    isWindows: hardware.os === 'windows',
    hasVirtio: hardware.devices !== 'emulated',
    hasTpm: hardware.tpm ?? false,
  };
}
