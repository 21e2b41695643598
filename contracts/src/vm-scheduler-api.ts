import { type Static, Type } from 'typebox';
import {
  DesiredChangeSchema,
  VmAssignmentSchema,
  VmEpochSchema,
  VmReportSchema,
} from './assignment.ts';
import { VmIdSchema } from './ids.ts';
import {
  OperationProgressSchema,
  OperationRequestSchema,
  OperationResultSchema,
} from './operations.ts';
import { OrphanSchema } from './vm-task.ts';

/**
 * The HTTP API between cluster-server and vm-scheduler. All calls are idempotent:
 * `PUT /v1/vms`, `POST /v1/desired`, `POST /v1/operations`, and the long-polled
 * `POST /v1/changes {after, waitMs}`.
 */
export const PutVmsSchema = Type.Object({ vms: Type.Array(VmAssignmentSchema) });
export const PostDesiredSchema = Type.Object({ changes: Type.Array(DesiredChangeSchema) });
/** Machines of a `POST /v1/desired` that the vm-scheduler does not have. */
export const DesiredAnswerSchema = Type.Object({ unknown: Type.Optional(Type.Array(VmIdSchema)) });
export const PostOperationsSchema = Type.Object({ operations: Type.Array(OperationRequestSchema) });

/** `POST /v1/withdraw`: gives up those that are, and ever were, on no host. */
export const PostWithdrawSchema = Type.Object({ vms: Type.Array(VmEpochSchema) });

/** `POST /v1/hosts-gone`. */
export const PostHostGoneSchema = Type.Object({ hostName: Type.String() });

export const ChangesQuerySchema = Type.Object({
  after: Type.Integer({ minimum: 0 }),
  waitMs: Type.Integer({ minimum: 0, maximum: 25_000 }),
  /** Up to here the caller has passed everything on: what was deleted by then may be forgotten. */
  reported: Type.Optional(Type.Integer({ minimum: 0 })),
});

/**
 * Everything that changed after a revision, oldest first. Revisions grow across restarts, so a
 * caller keeps its cursor; `after=0` reads everything.
 */
export const ChangesSchema = Type.Object({
  /** Pass as the next `after`. */
  revision: Type.Integer({ minimum: 0 }),
  vms: Type.Array(VmReportSchema),
  operations: Type.Array(OperationResultSchema),
  /** Of operations that run. */
  progress: Type.Optional(Type.Array(OperationProgressSchema)),
  /** All that executors tell of. */
  orphans: Type.Optional(Type.Array(Type.Interface([OrphanSchema], { agentId: Type.String() }))),
  /** What all machines together need that wait for a host. */
  waiting: Type.Optional(Type.Object({ vcpus: Type.Number(), memoryMiB: Type.Number() })),
});
export type Changes = Static<typeof ChangesSchema>;
