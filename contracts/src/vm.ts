import { type Static, Type } from 'typebox';
import { GuestInfoSchema } from './guest-info.ts';
import {
  BatchIdSchema,
  ClusterIdSchema,
  ProjectIdSchema,
  SubnetIdSchema,
  stringEnum,
  VmIdSchema,
  VolumeIdSchema,
} from './ids.ts';
import { PLACEMENT_FIELDS } from './requirements.ts';
import { VmHardwareSchema } from './vm-hardware.ts';
import { DESIRED_STATES, VM_REASONS, VM_STAGES, VM_STATES } from './vm-states.ts';

export const VM_LIMITS = {
  vcpusMax: 256,
  memoryMiBMin: 64,
  memoryMiBMax: 4 * 1024 * 1024,
  diskGiBMin: 1,
  diskGiBMax: 64 * 1024,
  userDataBytesMax: 64 * 1024,
  sshPublicKeysMax: 64,
  labelsMax: 64,
} as const;

/** A DNS label: what a hostname, an image and a batch may be called. */
export const NAME_PATTERN = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$';
export const NameSchema = Type.String({ pattern: NAME_PATTERN, maxLength: 63 });

export const VcpusSchema = Type.Integer({ minimum: 1, maximum: VM_LIMITS.vcpusMax });
export const MemoryMiBSchema = Type.Integer({
  minimum: VM_LIMITS.memoryMiBMin,
  maximum: VM_LIMITS.memoryMiBMax,
});
export const DiskGiBSchema = Type.Integer({
  minimum: VM_LIMITS.diskGiBMin,
  maximum: VM_LIMITS.diskGiBMax,
});
export const SshPublicKeySchema = Type.String({
  pattern:
    '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( [^\\r\\n]*)?$',
  maxLength: 8192,
});
export const LabelsSchema = Type.Record(
  Type.String({ pattern: '^[a-zA-Z0-9][a-zA-Z0-9._/-]{0,62}$' }),
  Type.String({ maxLength: 255 }),
  // Without it JSON Schema lets keys pass that don't match the pattern, with any value.
  { maxProperties: VM_LIMITS.labelsMax, additionalProperties: false },
);

/** What may come to a machine, or leave it. The first rule that fits counts. */
export const SecurityRuleSchema = Type.Object({
  direction: stringEnum(['in', 'out'] as const),
  protocol: stringEnum(['any', 'tcp', 'udp', 'icmp'] as const),
  /** First and last; absent: all. */
  ports: Type.Optional(
    Type.Tuple([
      Type.Integer({ minimum: 1, maximum: 65_535 }),
      Type.Integer({ minimum: 1, maximum: 65_535 }),
    ]),
  ),
  /** The other side; absent: anybody. */
  cidr: Type.Optional(Type.String({ maxLength: 18 })),
  action: stringEnum(['accept', 'drop'] as const),
});
export type SecurityRule = Static<typeof SecurityRuleSchema>;

/** Where a VM sits in its subnet; fixed when the VM is accepted, so that it never changes. */
export const VmNetworkSchema = Type.Object({
  subnetId: SubnetIdSchema,
  /** Of the whole subnet: `10.80.0.0/16`. */
  cidr: Type.String(),
  gatewayAddress: Type.String(),
  ipAddress: Type.String(),
  /** Lower case, colons: `52:54:00:12:34:56`. */
  macAddress: Type.String(),
  /** Of the subnet between the hosts of a cluster: VXLAN's number of it. */
  vni: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_777_215 })),
  /** Whether its machines reach the world through their host; default: they don't. */
  egress: Type.Optional(stringEnum(['none', 'nat'] as const)),
  dnsDomain: Type.Optional(Type.String({ maxLength: 253 })),
  securityRules: Type.Optional(Type.Array(SecurityRuleSchema, { maxItems: 100 })),
});
export type VmNetwork = Static<typeof VmNetworkSchema>;

/** A volume that a machine has. */
export const VolumeMountSchema = Type.Object({
  volumeId: VolumeIdSchema,
  /** A folder that several machines share, or a disk of its own. */
  kind: stringEnum(['directory', 'block'] as const),
  /** Name of the file system, or serial of the disk, by which the guest finds it. */
  tag: Type.String({ pattern: '^[A-Za-z0-9_-]{1,20}$' }),
  /** Where the guest mounts it by itself; absent: it does not. */
  guestPath: Type.Optional(Type.String({ pattern: '^/[^\\0\n]*$', maxLength: 1024 })),
  readOnly: Type.Boolean(),
  /** A disk is opened only by who holds this lease of it, or a newer one. */
  leaseEpoch: Type.Integer({ minimum: 1 }),
  /** Of a disk: what it is made with when it is not there yet. Of a folder: its quota. */
  sizeGiB: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type VolumeMount = Static<typeof VolumeMountSchema>;

/** Whether a machine that ran comes back by itself when its host restarts; default: it does. */
export const AutostartSchema = Type.Boolean({
  description: 'Start it again by itself after a restart of its host, if it ran. Default: true.',
});

/** Before an administrator's password that only the executor can open. */
export const SEALED_MARK = 'sealed:';

/** Everything a host needs to make the VM. Never changes for one `generation`. */
export const VmSpecSchema = Type.Object({
  hostname: NameSchema,
  image: Type.Object({
    name: NameSchema,
    /** SHA-256 of the image's file; absent in what was planned before images had versions. */
    version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    /**
     * The wish by which its disk is made of this image; 0 when absent. A higher one than that of the
     * disk it has replaces the disk: only somebody's explicit word does.
     */
    generation: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  vcpus: VcpusSchema,
  memoryMiB: MemoryMiBSchema,
  diskGiB: DiskGiBSchema,
  network: VmNetworkSchema,
  /**
   * The administrator's, on a config drive (Windows). Sealed wherever it is kept: by the api-server,
   * then by the vm-scheduler, whose seal the executor opens for the machine's seed alone.
   */
  adminPassword: Type.Optional(Type.String({ maxLength: 2048 })),
  sshPublicKeys: Type.Array(SshPublicKeySchema, { maxItems: VM_LIMITS.sshPublicKeysMax }),
  userData: Type.String({ maxLength: VM_LIMITS.userDataBytesMax }),
  hardware: Type.Optional(VmHardwareSchema),
  /** Further network cards, behind that of `network`. */
  nics: Type.Optional(Type.Array(VmNetworkSchema, { maxItems: 7 })),
  volumes: Type.Optional(Type.Array(VolumeMountSchema, { maxItems: 16 })),
  autostart: Type.Optional(AutostartSchema),
  ...PLACEMENT_FIELDS,
});
export type VmSpec = Static<typeof VmSpecSchema>;

/** IPv4: an address of its host's that is a machine's own, while it exists and is to have one. */
export const ExternalAddressSchema = Type.String({ maxLength: 15 });

/** What a machine has of what it was to be: where that could not be, not what was wished. */
export const AppliedSpecSchema = Type.Object({
  vcpus: VcpusSchema,
  memoryMiB: MemoryMiBSchema,
  diskGiB: DiskGiBSchema,
  image: VmSpecSchema.properties.image,
  /** Absent in what hosts of before said. */
  volumes: VmSpecSchema.properties.volumes,
});
export type AppliedSpec = Static<typeof AppliedSpecSchema>;

export const VmStateSchema = stringEnum(VM_STATES);
export const DesiredStateSchema = stringEnum(DESIRED_STATES);
export const VmReasonSchema = stringEnum(VM_REASONS);

/** When each stage was reached, in milliseconds since the epoch. */
export const TimelineSchema = Type.Partial(
  Type.Object(
    Object.fromEntries(VM_STAGES.map((stage) => [stage, Type.Number()])) as Record<
      (typeof VM_STAGES)[number],
      ReturnType<typeof Type.Number>
    >,
  ),
);
export type Timeline = Static<typeof TimelineSchema>;

/** A VM as the REST API shows it. */
export const VmSchema = Type.Object({
  id: VmIdSchema,
  name: NameSchema,
  projectId: ProjectIdSchema,
  batchId: BatchIdSchema,
  batchName: NameSchema,
  clusterId: Type.Union([ClusterIdSchema, Type.Null()]),
  hostName: Type.Union([Type.String(), Type.Null()]),
  image: NameSchema,
  vcpus: VcpusSchema,
  memoryMiB: MemoryMiBSchema,
  diskGiB: DiskGiBSchema,
  ipAddress: Type.Union([Type.String(), Type.Null()]),
  macAddress: Type.Union([Type.String(), Type.Null()]),
  /** By which the world reaches its first card; null: it has none. */
  externalAddress: Type.Optional(Type.Union([ExternalAddressSchema, Type.Null()])),
  /** Of its first card. */
  subnetId: Type.Optional(SubnetIdSchema),
  /** Further cards. */
  nics: Type.Optional(
    Type.Array(
      Type.Object({
        subnetId: SubnetIdSchema,
        ipAddress: Type.String(),
        macAddress: Type.String(),
      }),
    ),
  ),
  /** What it has of its project's volumes, or is about to get. */
  volumes: Type.Optional(
    Type.Array(
      Type.Object({
        name: VolumeMountSchema.properties.tag,
        kind: VolumeMountSchema.properties.kind,
        readOnly: Type.Boolean(),
        path: VolumeMountSchema.properties.guestPath,
      }),
    ),
  ),
  /** Its own, in place of those of its batch; null: those. */
  securityRules: Type.Optional(Type.Union([Type.Array(SecurityRuleSchema), Type.Null()])),
  desiredState: DesiredStateSchema,
  /** Counts what was wished of it. */
  generation: Type.Integer(),
  /** The wish that its host has carried out, or has failed to. */
  appliedGeneration: Type.Integer(),
  state: VmStateSchema,
  /** The guest has finished booting and its network answers; only known for images that say so. */
  guestReady: Type.Boolean(),
  /** What it says of itself through its agent; null: it has none, or has not been asked yet. */
  guest: Type.Optional(Type.Union([GuestInfoSchema, Type.Null()])),
  reason: Type.Union([VmReasonSchema, Type.Null()]),
  message: Type.Union([Type.String(), Type.Null()]),
  stateSince: Type.String({ format: 'date-time' }),
  timeline: TimelineSchema,
  createdAt: Type.String({ format: 'date-time' }),
});
export type Vm = Static<typeof VmSchema>;
