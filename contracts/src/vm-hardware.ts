import { type Static, Type } from 'typebox';
import { stringEnum } from './ids.ts';

/**
 * What kind of machine a guest finds. All of it is optional: without it the machine is a Linux guest
 * with BIOS and virtio devices.
 */
export const VmHardwareSchema = Type.Object({
  firmware: Type.Optional(stringEnum(['bios', 'uefi', 'uefi-secure'] as const)),
  /** Sets the clock, what the hypervisor tells the guest of itself, and the form of the seed. */
  os: Type.Optional(stringEnum(['linux', 'windows'] as const)),
  /** `emulated`: SATA and e1000e, for guests without virtio drivers. */
  devices: Type.Optional(stringEnum(['virtio', 'emulated'] as const)),
  tpm: Type.Optional(Type.Boolean()),
  cpu: Type.Optional(
    Type.Object({
      /**
       * `host` (or `host-passthrough`): all that the host's has; `host-model`: the named model that
       * is closest to it; else one of the hypervisor's names.
       */
      model: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' })),
      /** Each vCPU has a core of the host for itself. */
      pinned: Type.Optional(Type.Boolean()),
      numaNodes: Type.Optional(Type.Integer({ minimum: 1, maximum: 8 })),
      hugepages: Type.Optional(stringEnum(['2M', '1G'] as const)),
    }),
  ),
  /** Graphics cards of the host, passed through. */
  gpus: Type.Optional(Type.Integer({ minimum: 0, maximum: 16 })),
  /** What the cards must be, as the attribute `gpu_model` of the host says. */
  gpuModel: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$' })),
});
export type VmHardware = Static<typeof VmHardwareSchema>;
