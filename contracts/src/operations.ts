import { type Static, type TSchema, Type } from 'typebox';
import { ConsoleParamsSchema } from './console.ts';
import { OperationIdSchema, stringEnum, VmIdSchema } from './ids.ts';
import { VmReasonSchema } from './vm.ts';

/** One-shot actions on a machine; each has an id and is applied once. */
export const OPERATION_KINDS = ['reboot', 'reset', 'readLog', 'console'] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

/** What kinds are told that need to know nothing. */
const NoParams = Type.Optional(Type.Object({}));

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
]);
export type OperationRequest = Static<typeof OperationRequestSchema>;
export type OperationParams = OperationRequest['params'];

/** How far an operation is that takes long. */
export const OperationProgressSchema = Type.Object({
  operationId: OperationIdSchema,
  vmId: VmIdSchema,
  /** In words: `copying`. */
  stage: Type.String({ maxLength: 200 }),
  percent: Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.Null()]),
});
export type OperationProgress = Static<typeof OperationProgressSchema>;

export const OperationResultSchema = Type.Object({
  operationId: OperationIdSchema,
  vmId: VmIdSchema,
  outcome: stringEnum(['succeeded', 'failed'] as const),
  /** Of a failed one, where there is more to say than its message does. */
  reason: Type.Optional(Type.Union([VmReasonSchema, Type.Null()])),
  message: Type.String({ maxLength: 4096 }),
  /** What a `readLog` read: the end of the serial console's log. */
  output: Type.String({ maxLength: 256 * 1024 }),
});
export type OperationResult = Static<typeof OperationResultSchema>;

export const OPERATION_STATES = ['running', 'succeeded', 'failed'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];

/** A one-shot action on a machine, as the REST API shows it. */
export const OperationSchema = Type.Object({
  id: OperationIdSchema,
  vmId: VmIdSchema,
  kind: stringEnum(OPERATION_KINDS),
  state: stringEnum(OPERATION_STATES),
  /** While it runs, once its host has said how far it is. */
  progress: Type.Union([Type.Pick(OperationProgressSchema, ['stage', 'percent']), Type.Null()]),
  message: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});
export type Operation = Static<typeof OperationSchema>;
