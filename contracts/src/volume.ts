import { type Static, Type } from 'typebox';
import { ProjectIdSchema, stringEnum, VolumeIdSchema } from './ids.ts';
import { NameSchema } from './vm.ts';

export const VOLUME_LIMITS = { sizeGiBMax: 64 * 1024, perMachineMax: 16 } as const;

/**
 * `directory`: a folder that several machines have at once. `block`: a disk that one machine has at a
 * time.
 */
export const VOLUME_KINDS = ['directory', 'block'] as const;

/** `POST /v1/volumes` */
export const VolumeRequestSchema = Type.Object(
  {
    /** Also the name by which guests know its file system, or the serial of the disk. */
    name: Type.Intersect([NameSchema, Type.String({ maxLength: 20 })]),
    kind: stringEnum(VOLUME_KINDS),
    /** Of a disk its size; of a folder the quota. */
    sizeGiB: Type.Integer({ minimum: 1, maximum: VOLUME_LIMITS.sizeGiBMax }),
    /** Where it lives, and with it its machines; may be left out when there is one cluster only. */
    cluster: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
  },
  { additionalProperties: false },
);
export type VolumeRequest = Static<typeof VolumeRequestSchema>;

/** `deleting`: its cluster has yet to say that nothing is left of it. */
export const VOLUME_STATES = ['available', 'deleting', 'deleted'] as const;

/** A volume as the REST API shows it. */
export const VolumeSchema = Type.Object({
  id: VolumeIdSchema,
  name: NameSchema,
  projectId: ProjectIdSchema,
  kind: stringEnum(VOLUME_KINDS),
  sizeGiB: Type.Integer(),
  /** Name of the cluster. */
  cluster: Type.String(),
  state: stringEnum(VOLUME_STATES),
  /** Machines that have it. */
  machines: Type.Integer(),
  /** As its cluster has measured last; null before that. */
  usedBytes: Type.Union([Type.Integer(), Type.Null()]),
  createdAt: Type.String({ format: 'date-time' }),
});
export type Volume = Static<typeof VolumeSchema>;

/** A volume that the machines of a batch get. */
export const BatchVolumeSchema = Type.Object(
  {
    /** Its name. */
    volume: NameSchema,
    /** Where the guest mounts it by itself; absent: it does not. */
    path: Type.Optional(Type.String({ pattern: '^/[^\\0\n]*$', maxLength: 1024 })),
    readOnly: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type BatchVolume = Static<typeof BatchVolumeSchema>;
export const BatchVolumesSchema = Type.Array(BatchVolumeSchema, {
  maxItems: VOLUME_LIMITS.perMachineMax,
});

/** The file at the top of the storage for volumes that says what each takes, for their hosts. */
export const VOLUMES_USAGE = '.usage.json';

/** What a volume takes on its cluster's storage. */
export const VolumeUsageSchema = Type.Object({
  volumeId: VolumeIdSchema,
  usedBytes: Type.Integer({ minimum: 0 }),
});
export type VolumeUsage = Static<typeof VolumeUsageSchema>;

/** Nothing speaks for these volumes any more: their files go. */
export const DropVolumesSchema = Type.Object({
  kind: Type.Literal('dropVolumes'),
  volumeIds: Type.Array(VolumeIdSchema, { maxItems: 1_000 }),
});
