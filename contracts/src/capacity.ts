import { type Static, Type } from 'typebox';
import { ImageVersionSchema } from './image.ts';
import { HostAttributeSchema } from './requirements.ts';
import { NameSchema } from './vm.ts';
import { OrphanSchema } from './vm-task.ts';
import { VolumeUsageSchema } from './volume.ts';

/** What one host has. */
export const HostCapacitySchema = Type.Object({
  agentId: Type.String(),
  hostName: Type.String(),
  active: Type.Boolean(),
  totalVcpus: Type.Number(),
  totalMemoryMiB: Type.Number(),
  freeVcpus: Type.Number(),
  freeMemoryMiB: Type.Number(),
  /** What machines may require of it; absent: not told. */
  attributes: Type.Optional(Type.Array(HostAttributeSchema)),
  /** Its other scalars, graphics cards among them, by Mesos' names; absent: not told. */
  resources: Type.Optional(
    Type.Record(Type.String(), Type.Object({ total: Type.Number(), free: Type.Number() })),
  ),
});
export type HostCapacity = Static<typeof HostCapacitySchema>;

/** What is on a host in the factory's name without anybody to speak for it. */
export const HostOrphanSchema = Type.Interface([OrphanSchema], {
  agentId: Type.String(),
  hostName: Type.String(),
});
export type HostOrphan = Static<typeof HostOrphanSchema>;

/** What a cluster has, as it reports it upward. */
export const CapacitySchema = Type.Object({
  observedAtMs: Type.Number(),
  hosts: Type.Array(HostCapacitySchema, { maxItems: 20_000 }),
  /** Machines accepted by the cluster that have no host yet: what they need is not free any more. */
  promisedVcpus: Type.Number(),
  promisedMemoryMiB: Type.Number(),
  /** Names of the images that the cluster can start machines from. */
  images: Type.Array(Type.String()),
  /** The newest version of each, by its name; what is planned now is made from it. */
  imageVersions: Type.Optional(Type.Record(NameSchema, ImageVersionSchema)),
  /** All versions of each. */
  allImageVersions: Type.Optional(Type.Record(NameSchema, Type.Array(ImageVersionSchema))),
  orphans: Type.Optional(Type.Array(HostOrphanSchema, { maxItems: 10_000 })),
  /** All that there are; absent: not looked at since volumes were last dropped. */
  volumes: Type.Optional(Type.Array(VolumeUsageSchema, { maxItems: 100_000 })),
});
export type Capacity = Static<typeof CapacitySchema>;

/**
 * Host memory that QEMU itself takes beside the guest's, in MiB. Measured on TCG with a translation
 * cache of 32 MiB: a 128 MiB guest costs about 170 MB.
 */
export const VM_MEMORY_OVERHEAD_MIB = 48;

/** What the vm-executor process itself takes of a host, once, before the first machine. */
export const VM_EXECUTOR_NEED = { vcpus: 0.1, memoryMiB: 128 } as const;
