import { type Static, type TSchema, Type } from 'typebox';
import { ConsoleParamsSchema } from './console.ts';
import { BatchIdSchema, OperationIdSchema, stringEnum, VmIdSchema } from './ids.ts';
import { ImageVersionSchema } from './image.ts';
import { METRICS_HISTORY, MetricsHistoryParams, MetricsPointSchema } from './metrics.ts';
import { NameSchema, SshPublicKeySchema, VmReasonSchema } from './vm.ts';

/** One-shot actions on a machine; each has an id and is applied once. */
export const OPERATION_KINDS = [
  'reboot',
  'reset',
  'readLog',
  'console',
  'screenshot',
  'setPassword',
  'addSshKey',
  'snapshot',
  'revert',
  'deleteSnapshot',
  'listSnapshots',
  'makeImage',
  'metricsHistory',
  'cancel',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** What kinds are told that need to know nothing. */
const NoParams = Type.Optional(Type.Object({}));

/** A user of the guest, as `useradd` and Windows take them. */
const GuestUserSchema = Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,31}$' });

/** `{user, password}` as a user of the API says it: one line. */
export const SetPasswordSchema = Type.Object({
  user: GuestUserSchema,
  password: Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\0\r\n]*$' }),
});
export const AddSshKeySchema = Type.Object({
  user: GuestUserSchema,
  publicKey: SshPublicKeySchema,
});

/** The name of a snapshot of one machine. */
export const SnapshotNameParams = Type.Object({ name: NameSchema });
/** The name of the image that a machine's disk becomes a version of. */
const MakeImageSchema = Type.Object({ name: NameSchema });

/** The operation of the same machine that is to end. */
const CancelSchema = Type.Object({ operationId: OperationIdSchema });

/** On its way the password may be sealed, and where it was delivered it is forgotten: empty. */
const SetPasswordParams = Type.Object({
  user: GuestUserSchema,
  password: Type.String({ maxLength: 2048 }),
});

function requestFor<Kind extends OperationKind, Params extends TSchema>(
  kind: Kind,
  params: Params,
) {
  return Type.Object({
    operationId: OperationIdSchema,
    vmId: VmIdSchema,
    kind: Type.Literal(kind),
    /** Nobody begins it after this moment; without an end by then, it has failed. */
    deadlineAtMs: Type.Optional(Type.Number()),
    params,
  });
}

/** An operation as clusters, schedulers and executors are told of it: by kind, what it needs to know. */
export const OperationRequestSchema = Type.Union([
  requestFor('reboot', NoParams),
  requestFor('reset', NoParams),
  requestFor('readLog', NoParams),
  requestFor('console', ConsoleParamsSchema),
  requestFor('screenshot', NoParams),
  requestFor('setPassword', SetPasswordParams),
  requestFor('addSshKey', AddSshKeySchema),
  requestFor('snapshot', SnapshotNameParams),
  requestFor('revert', SnapshotNameParams),
  requestFor('deleteSnapshot', SnapshotNameParams),
  requestFor('listSnapshots', NoParams),
  requestFor('makeImage', MakeImageSchema),
  requestFor('metricsHistory', MetricsHistoryParams),
  requestFor('cancel', CancelSchema),
]);
export type OperationRequest = Static<typeof OperationRequestSchema>;

/** The request without what nobody needs to know who does not carry it out. */
export function withoutSecrets(request: OperationRequest): OperationRequest {
  if (request.kind !== 'setPassword') return request;
  return { ...request, params: { ...request.params, password: '' } };
}

/** How far an operation is that takes long. */
export const OperationProgressSchema = Type.Object({
  operationId: OperationIdSchema,
  vmId: VmIdSchema,
  /** In words: `copying`. */
  stage: Type.String({ maxLength: 200 }),
  percent: Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.Null()]),
});
export type OperationProgress = Static<typeof OperationProgressSchema>;

/** A snapshot of a machine's disk. */
export const SnapshotSchema = Type.Object({ name: NameSchema, createdAtMs: Type.Number() });
export type Snapshot = Static<typeof SnapshotSchema>;

/** What a succeeded operation gives, by its kind. */
export const OperationDataSchema = Type.Union([
  Type.Object({
    kind: Type.Literal('screenshot'),
    /** A PNG in base64. */
    png: Type.String({ maxLength: 1024 * 1024 }),
    widthPx: Type.Integer({ minimum: 1 }),
    heightPx: Type.Integer({ minimum: 1 }),
  }),
  Type.Object({
    kind: Type.Literal('snapshot'),
    /** The guest's file systems were frozen meanwhile, by its agent; else it is as if its power failed. */
    isQuiesced: Type.Boolean(),
  }),
  Type.Object({ kind: Type.Literal('listSnapshots'), snapshots: Type.Array(SnapshotSchema) }),
  Type.Object({
    kind: Type.Literal('metricsHistory'),
    samples: Type.Array(MetricsPointSchema, { maxItems: METRICS_HISTORY.pointsMax }),
  }),
  Type.Object({
    kind: Type.Literal('makeImage'),
    name: NameSchema,
    version: ImageVersionSchema,
    sizeBytes: Type.Integer({ minimum: 0 }),
    isQuiesced: Type.Boolean(),
  }),
]);
export type OperationData = Static<typeof OperationDataSchema>;

export const OperationResultSchema = Type.Object({
  operationId: OperationIdSchema,
  vmId: VmIdSchema,
  outcome: stringEnum(['succeeded', 'failed'] as const),
  /** Of a failed one, where there is more to say than its message does. */
  reason: Type.Optional(Type.Union([VmReasonSchema, Type.Null()])),
  message: Type.String({ maxLength: 4096 }),
  /** What a `readLog` read: the end of the serial console's log. */
  output: Type.String({ maxLength: 256 * 1024 }),
  data: Type.Optional(OperationDataSchema),
});
export type OperationResult = Static<typeof OperationResultSchema>;

export const OPERATION_STATES = ['running', 'succeeded', 'failed'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** What can be done to all machines of a batch at once: wishes, and operations. */
export const BATCH_WISHES = ['start', 'stop', 'suspend', 'resume'] as const;
export type BatchWish = (typeof BATCH_WISHES)[number];
export const ACTION_KINDS = [...BATCH_WISHES, ...OPERATION_KINDS] as const;
export type ActionKind = (typeof ACTION_KINDS)[number];

/** A one-shot action on a machine, as the REST API shows it. */
export const OperationSchema = Type.Object({
  id: OperationIdSchema,
  vmId: VmIdSchema,
  /** As part of one on a batch also what is wished, such as `stop`. */
  kind: stringEnum(ACTION_KINDS),
  state: stringEnum(OPERATION_STATES),
  /** While it runs, once its host has said how far it is. */
  progress: Type.Union([Type.Pick(OperationProgressSchema, ['stage', 'percent']), Type.Null()]),
  /** Why it failed, where there is a code for it. */
  reason: Type.Union([VmReasonSchema, Type.Null()]),
  message: Type.String(),
  /** What it gave, where its kind gives something. */
  data: Type.Union([OperationDataSchema, Type.Null()]),
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});
export type Operation = Static<typeof OperationSchema>;

/** An action on many machines, as the REST API shows it. */
export const BatchOperationSchema = Type.Object({
  id: OperationIdSchema,
  /** Null for machines that were chosen otherwise. */
  batchId: Type.Union([BatchIdSchema, Type.Null()]),
  kind: stringEnum(ACTION_KINDS),
  /** `done` when no machine's part runs any more; the counts say how they ended. */
  state: stringEnum(['running', 'done'] as const),
  counts: Type.Object({
    running: Type.Integer(),
    succeeded: Type.Integer(),
    failed: Type.Integer(),
  }),
  createdAt: Type.String({ format: 'date-time' }),
});
export type BatchOperation = Static<typeof BatchOperationSchema>;
