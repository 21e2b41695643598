import { type Static, Type } from 'typebox';
import { BatchIdSchema, ClusterIdSchema } from './ids.ts';
import { NameSchema } from './vm.ts';

/** So many machines, and the cores that they have together. */
const PartSchema = Type.Object({ machines: Type.Integer(), vcpus: Type.Integer() });

/**
 * `GET /v1/batches/{id}/report`: what was asked for and what became of it. What was asked for is what
 * was made, failed, was withdrawn and was not placed, together.
 */
export const BatchReportSchema = Type.Object({
  batchId: BatchIdSchema,
  name: NameSchema,
  /** It stays as it is from now on: the batch came to rest, or was deleted or released before. */
  final: Type.Boolean(),
  acceptedAt: Type.String({ format: 'date-time' }),
  /** When it was as told here. */
  at: Type.String({ format: 'date-time' }),
  /** Why the batch was released as a whole. */
  failure: Type.Union([Type.String(), Type.Null()]),
  /** Where cores were asked for, their machines are counted as far as they are planned. */
  asked: PartSchema,
  /** Powered on, at least once. */
  made: PartSchema,
  failed: PartSchema,
  /** Deleted before they were made. */
  withdrawn: PartSchema,
  /** Waiting for a place. */
  unplaced: PartSchema,
  /** Of those that failed, the most frequent reason first. */
  reasons: Type.Array(Type.Object({ reason: Type.String(), machines: Type.Integer() })),
  clusters: Type.Array(
    Type.Object({
      id: ClusterIdSchema,
      name: NameSchema,
      made: Type.Integer(),
      failed: Type.Integer(),
      withdrawn: Type.Integer(),
      unplaced: Type.Integer(),
    }),
  ),
  /** From the acceptance until machines were powered on, in seconds; null without any. */
  seconds: Type.Union([
    Type.Object({
      first: Type.Number(),
      median: Type.Number(),
      p95: Type.Number(),
      last: Type.Number(),
    }),
    Type.Null(),
  ]),
});
export type BatchReport = Static<typeof BatchReportSchema>;
