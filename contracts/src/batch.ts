import { type Static, Type } from 'typebox';
import { ClusterSelectorSchema, PrioritySchema } from './cluster-selector.ts';
import { BatchIdSchema, HoldIdSchema, ProjectIdSchema, stringEnum } from './ids.ts';
import { ImageWishSchema } from './image.ts';
import { SetPasswordSchema } from './operations.ts';
import { PLACEMENT_FIELDS } from './requirements.ts';
import { NETWORK_FIELDS, SecurityRulesSchema } from './subnet.ts';
import {
  AutostartSchema,
  DiskGiBSchema,
  LabelsSchema,
  MemoryMiBSchema,
  NameSchema,
  SecurityRuleSchema,
  SshPublicKeySchema,
  VcpusSchema,
  VM_LIMITS,
} from './vm.ts';
import { VmHardwareSchema } from './vm-hardware.ts';
import { BatchVolumesSchema } from './volume.ts';

export const BATCH_LIMITS = { countMax: 10_000, totalVcpusMax: 100_000, shapesMax: 16 } as const;

/** One size of machine that a batch may be made of. */
export const ShapeSchema = Type.Object(
  { vcpus: VcpusSchema, memoryMiB: MemoryMiBSchema },
  { additionalProperties: false },
);
export type Shape = Static<typeof ShapeSchema>;

/**
 * How much of a batch must be placed by its deadline for it to be worth having: `all` of it, so many
 * machines (or cores, where cores are asked for), or whatever there is. A batch that does not come
 * to that is released as a whole; of one that does, what waits then is given up.
 */
export const BatchFillSchema = Type.Union([
  stringEnum(['all', 'bestEffort']),
  Type.Object(
    { atLeast: Type.Integer({ minimum: 1, maximum: BATCH_LIMITS.totalVcpusMax }) },
    { additionalProperties: false },
  ),
]);
export type BatchFill = Static<typeof BatchFillSchema>;

const DAY_SECONDS = 24 * 3600;
const LifetimeSecondsSchema = Type.Integer({ minimum: 60, maximum: 3650 * DAY_SECONDS });
const ExpiresAtSchema = Type.String({ format: 'date-time', maxLength: 40 });

/** In a request, a word that is not known is a mistake. */
const StrictHardwareSchema = Type.Object(VmHardwareSchema.properties, {
  additionalProperties: false,
});

/**
 * `POST /v1/batches`. Either `count` machines of `vcpus` and `memoryMiB`, or `totalVcpus` to be made
 * of the given `shapes` in the way that fits the hosts best.
 */
export const BatchRequestSchema = Type.Object(
  {
    name: NameSchema,
    /** A name means the newest version; `name@<8 to 64 hexadecimal digits>` a certain one. */
    image: ImageWishSchema,
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: BATCH_LIMITS.countMax })),
    vcpus: Type.Optional(VcpusSchema),
    memoryMiB: Type.Optional(MemoryMiBSchema),
    /** In place of `vcpus` and `memoryMiB`; see `GET /v1/flavors`. */
    flavor: Type.Optional(NameSchema),
    totalVcpus: Type.Optional(Type.Integer({ minimum: 1, maximum: BATCH_LIMITS.totalVcpusMax })),
    shapes: Type.Optional(
      Type.Array(ShapeSchema, { minItems: 1, maxItems: BATCH_LIMITS.shapesMax }),
    ),
    /** In place of `shapes`. */
    flavors: Type.Optional(
      Type.Array(NameSchema, { minItems: 1, maxItems: BATCH_LIMITS.shapesMax }),
    ),
    diskGiB: Type.Optional(DiskGiBSchema),
    sshPublicKeys: Type.Optional(
      Type.Array(SshPublicKeySchema, { maxItems: VM_LIMITS.sshPublicKeysMax }),
    ),
    userData: Type.Optional(Type.String({ maxLength: VM_LIMITS.userDataBytesMax })),
    labels: Type.Optional(LabelsSchema),
    /** The administrator's password of Windows machines, which cloudbase-init sets at first boot. */
    adminPassword: Type.Optional(SetPasswordSchema.properties.password),
    hardware: Type.Optional(StrictHardwareSchema),
    autostart: Type.Optional(AutostartSchema),
    fill: Type.Optional(BatchFillSchema),
    /** From its acceptance; what is not placed by then is given up, or all of it: see `fill`. */
    deadlineSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 7 * DAY_SECONDS })),
    /** It is deleted then by itself; from its acceptance. Or give `expiresAt`. */
    lifetimeSeconds: Type.Optional(LifetimeSecondsSchema),
    expiresAt: Type.Optional(ExpiresAtSchema),
    /** Given alone: the batch is what was held. */
    holdId: Type.Optional(HoldIdSchema),
    ...NETWORK_FIELDS,
    /** Volumes of the project; its machines go where these are. */
    volumes: Type.Optional(BatchVolumesSchema),
    ...PLACEMENT_FIELDS,
    /** The clusters that it may be in; absent: all that policy allows. */
    clusters: Type.Optional(ClusterSelectorSchema),
    priority: Type.Optional(PrioritySchema),
    /** Its machines may be deleted when others find no room: those of higher priority, or not so. */
    preemptible: Type.Optional(Type.Boolean()),
  },
  {
    additionalProperties: false,
    examples: [
      { name: 'first', image: 'micro', count: 8, vcpus: 1, memoryMiB: 128 },
      {
        name: 'web',
        image: 'debian-12',
        count: 2,
        memoryMiB: 1024,
        network: { subnet: 'front' },
        nics: [{ subnet: 'back' }],
        securityRules: [{ direction: 'in', protocol: 'tcp', ports: [80, 80], action: 'accept' }],
        group: { id: 'web', rule: 'anti-affinity' },
      },
    ],
  },
);
export type BatchRequest = Static<typeof BatchRequestSchema>;

/** `PATCH /v1/batches/{id}`: what is left out stays as it is. */
export const BatchChangeSchema = Type.Object(
  {
    securityRules: Type.Optional(SecurityRulesSchema),
    /** All of them. */
    labels: Type.Optional(LabelsSchema),
    /** From now on; null: for ever. Or give `expiresAt`. */
    lifetimeSeconds: Type.Optional(Type.Union([LifetimeSecondsSchema, Type.Null()])),
    expiresAt: Type.Optional(Type.Union([ExpiresAtSchema, Type.Null()])),
  },
  { additionalProperties: false },
);
export type BatchChange = Static<typeof BatchChangeSchema>;

export const BATCH_STATES = [
  'accepted',
  'planning',
  'active',
  /** Too little of it could be placed in time, and it was released: see `failure`. */
  'failed',
  'deleting',
  'deleted',
] as const;

/** A batch as the REST API shows it. */
export const BatchSchema = Type.Object({
  id: BatchIdSchema,
  name: NameSchema,
  projectId: ProjectIdSchema,
  state: stringEnum(BATCH_STATES),
  image: NameSchema,
  /** Machines asked for; for `totalVcpus`, those planned so far. */
  count: Type.Integer(),
  totalVcpus: Type.Union([Type.Integer(), Type.Null()]),
  /** How many machines are in each state; states with none are left out. */
  vmCounts: Type.Record(Type.String(), Type.Integer()),
  /** How many running machines have said that their guest is up. */
  readyCount: Type.Integer(),
  /** Every machine has come to an end state: running, stopped, suspended or failed. */
  settled: Type.Boolean(),
  /** Machines that were deleted to make room for others; absent: none. */
  preemptedCount: Type.Optional(Type.Integer()),
  /** Why machines are still waiting, in words, with counts. */
  pendingReason: Type.Union([Type.String(), Type.Null()]),
  /** Those of its own, which come before those of the subnets. */
  securityRules: Type.Optional(Type.Array(SecurityRuleSchema)),
  labels: LabelsSchema,
  fill: Type.Optional(BatchFillSchema),
  deadlineAt: Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.Null()])),
  /** When it is deleted by itself. */
  expiresAt: Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.Null()])),
  /** Why it has failed as a whole. */
  failure: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  createdAt: Type.String({ format: 'date-time' }),
});
export type Batch = Static<typeof BatchSchema>;
