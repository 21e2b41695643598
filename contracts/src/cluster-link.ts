import { type Static, Type } from 'typebox';
import {
  DesiredChangeSchema,
  VmAssignmentSchema,
  VmEpochSchema,
  VmReportSchema,
} from './assignment.ts';
import { ShapeSchema } from './batch.ts';
import { CapacitySchema } from './capacity.ts';
import { ClusterAttributesSchema, ConformanceCheckSchema, RegionSchema } from './cluster.ts';
import { BatchIdSchema, ClusterIdSchema, stringEnum, VmIdSchema } from './ids.ts';
import {
  OperationProgressSchema,
  OperationRequestSchema,
  OperationResultSchema,
} from './operations.ts';
import { RequirementsSchema } from './requirements.ts';
import { VmHardwareSchema } from './vm-hardware.ts';
import { DropVolumesSchema } from './volume.ts';

/**
 * The cluster link, version 1. The cluster dials out:
 * `POST /cluster-link/v1/enrol` once with its token and public key, `POST /cluster-link/v1/sessions`
 * at each start for an epoch, then `POST /cluster-link/v1/exchange` for ever.
 * All but `enrol` are signed (link-signing.ts).
 */
export const LINK_PROTOCOL_VERSION = 1;

export const LINK_LIMITS = {
  waitMsMax: 25_000,
  commandsPerExchangeMax: 64,
  vmsPerCommandMax: 1_000,
  vmReportsPerExchangeMax: 2_000,
} as const;

export const EnrolRequestSchema = Type.Object({
  protocolVersion: Type.Integer(),
  token: Type.String({ minLength: 16, maxLength: 256 }),
  name: Type.String({ minLength: 1, maxLength: 63 }),
  /** Ed25519, SPKI, PEM. */
  publicKey: Type.String({ maxLength: 1024 }),
});
export type EnrolRequest = Static<typeof EnrolRequestSchema>;
export const EnrolResponseSchema = Type.Object({ clusterId: ClusterIdSchema });
export type EnrolResponse = Static<typeof EnrolResponseSchema>;

/** A new session fences out the one before: its epoch is refused from then on. */
export const SessionRequestSchema = Type.Object({
  protocolVersion: Type.Integer(),
  /** What the cluster knows beyond the first version; absent: nothing. */
  features: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 64 })),
  /** Where it is, and what else there is to choose it by; operators' words go before these. */
  region: Type.Optional(RegionSchema),
  attributes: Type.Optional(ClusterAttributesSchema),
});
export type SessionRequest = Static<typeof SessionRequestSchema>;
export const SessionResponseSchema = Type.Object({ epoch: Type.Integer({ minimum: 1 }) });

/**
 * `POST /cluster-link/v1/rotate`, signed with the key that the cluster has: it is about to sign with
 * another. Both are good until the new one has signed something.
 */
export const RotateRequestSchema = Type.Object({
  protocolVersion: Type.Integer(),
  /** Ed25519, SPKI, PEM. */
  publicKey: Type.String({ maxLength: 1024 }),
});

/** `POST /cluster-link/v1/conformance`: what the cluster found out about itself when it started. */
export const LinkConformanceSchema = Type.Object({
  protocolVersion: Type.Integer(),
  checks: Type.Array(ConformanceCheckSchema, { maxItems: 32 }),
});
export type RotateRequest = Static<typeof RotateRequestSchema>;

export const AssignVmsSchema = Type.Object({
  kind: Type.Literal('assignVms'),
  vms: Type.Array(VmAssignmentSchema, { maxItems: LINK_LIMITS.vmsPerCommandMax }),
});
/** Turn a number of cores into machines of these shapes; answered by a {@link SharePlan}. */
export const PlanShareSchema = Type.Object({
  kind: Type.Literal('planShare'),
  /** Of the hosts; absent: none. */
  requirements: Type.Optional(RequirementsSchema),
  /** Of the machines; absent: nothing that only few hosts have. */
  hardware: Type.Optional(VmHardwareSchema),
  batchId: BatchIdSchema,
  totalVcpus: Type.Integer({ minimum: 1 }),
  shapes: Type.Array(ShapeSchema),
});
export const SetDesiredSchema = Type.Object({
  kind: Type.Literal('setDesired'),
  changes: Type.Array(DesiredChangeSchema, { maxItems: LINK_LIMITS.vmsPerCommandMax }),
});
export const OperateSchema = Type.Object({
  kind: Type.Literal('operate'),
  operations: Type.Array(OperationRequestSchema, { maxItems: LINK_LIMITS.vmsPerCommandMax }),
});
/** An operator's word: this host will not come back, and nothing of its machines is left. */
export const DeclareHostGoneSchema = Type.Object({
  kind: Type.Literal('declareHostGone'),
  hostName: Type.String({ minLength: 1, maxLength: 255 }),
});
/**
 * Give up these machines unless they are, or ever were, on a host: others have room for them. Those
 * that are given up are reported as deleted, `WITHDRAWN`. Only for clusters with the feature
 * `withdrawVms`.
 */
export const WithdrawVmsSchema = Type.Object({
  kind: Type.Literal('withdrawVms'),
  vms: Type.Array(VmEpochSchema, { maxItems: LINK_LIMITS.vmsPerCommandMax }),
});
export const LinkCommandSchema = Type.Union([
  WithdrawVmsSchema,
  AssignVmsSchema,
  PlanShareSchema,
  SetDesiredSchema,
  OperateSchema,
  DeclareHostGoneSchema,
  DropVolumesSchema,
]);
export type LinkCommand = Static<typeof LinkCommandSchema>;

/** Commands of one cluster are numbered from 1 without gaps, and applied in that order. */
export const NumberedCommandSchema = Type.Object({
  seq: Type.Integer({ minimum: 1 }),
  command: LinkCommandSchema,
});
export type NumberedCommand = Static<typeof NumberedCommandSchema>;

export const SharePlanSchema = Type.Object({
  batchId: BatchIdSchema,
  /** Machines per shape, biggest first. */
  machines: Type.Array(Type.Object({ shape: ShapeSchema, count: Type.Integer({ minimum: 1 }) })),
  /** Cores that fit nowhere at present. */
  unplacedVcpus: Type.Integer({ minimum: 0 }),
  /** In words, why some did not fit; empty when all did. */
  reason: Type.String(),
});
export type SharePlan = Static<typeof SharePlanSchema>;

/** Of one machine: a command that the cluster can't carry out, however often it is sent. */
export const RefusalSchema = Type.Object({
  vmId: VmIdSchema,
  /** Of the assignment or wish that was refused. */
  generation: Type.Integer({ minimum: 1 }),
  /** `unknown`: a wish for a machine that the cluster does not have; `refused`: its words say why. */
  kind: stringEnum(['unknown', 'refused'] as const),
  message: Type.String({ maxLength: 1024 }),
});
export type Refusal = Static<typeof RefusalSchema>;

export const LinkReportsSchema = Type.Object({
  capacity: Type.Optional(CapacitySchema),
  vms: Type.Array(VmReportSchema, { maxItems: LINK_LIMITS.vmReportsPerExchangeMax }),
  plans: Type.Array(SharePlanSchema),
  operations: Type.Array(OperationResultSchema),
  progress: Type.Optional(
    Type.Array(OperationProgressSchema, { maxItems: LINK_LIMITS.vmReportsPerExchangeMax }),
  ),
  refusals: Type.Optional(
    Type.Array(RefusalSchema, { maxItems: LINK_LIMITS.vmReportsPerExchangeMax }),
  ),
});
export type LinkReports = Static<typeof LinkReportsSchema>;

/**
 * One exchange. Reports are ingested before the answer is sent: an answer acknowledges them all.
 * With `waitMs` 0 the answer comes at once; else it waits that long for a command. Commands above
 * `appliedCommandSeq` are sent again until they are acknowledged by a higher number.
 */
export const ExchangeRequestSchema = Type.Object({
  protocolVersion: Type.Integer(),
  epoch: Type.Integer({ minimum: 1 }),
  appliedCommandSeq: Type.Integer({ minimum: 0 }),
  waitMs: Type.Integer({ minimum: 0, maximum: LINK_LIMITS.waitMsMax }),
  reports: LinkReportsSchema,
});
export type ExchangeRequest = Static<typeof ExchangeRequestSchema>;
export const ExchangeResponseSchema = Type.Object({
  commands: Type.Array(NumberedCommandSchema),
});
export type ExchangeResponse = Static<typeof ExchangeResponseSchema>;
