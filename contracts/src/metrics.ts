import { type Static, Type } from 'typebox';
import { VmIdSchema } from './ids.ts';

const Rate = Type.Number({ minimum: 0 });

/** What a machine used, on average over the time since the look before. Rates are per second. */
export const VmSampleSchema = Type.Object({
  vmId: VmIdSchema,
  /** Of the later look, by its host's clock. */
  atMs: Type.Number(),
  /** Of one core: a machine with four busy ones uses 400. */
  cpuPercent: Rate,
  /** Given to the guest. */
  memoryMiB: Rate,
  /** What it takes of its host's memory, QEMU's own part included; 0 where that is not known. */
  residentMiB: Rate,
  diskReadBytes: Rate,
  diskWriteBytes: Rate,
  diskReads: Rate,
  diskWrites: Rate,
  /** All its network cards together, seen from the guest. */
  netReceivedBytes: Rate,
  netSentBytes: Rate,
  netReceivedPackets: Rate,
  netSentPackets: Rate,
});
export type VmSample = Static<typeof VmSampleSchema>;

/** How much of it is kept: the last hour, a point every ten seconds at most. */
export const METRICS_HISTORY = { spanMs: 3_600_000, slotMs: 10_000, pointsMax: 360 } as const;

/** From when on it is asked for. */
export const MetricsHistoryParams = Type.Object({ sinceMs: Type.Optional(Type.Number()) });

/** A sample of a machine that is named elsewhere. */
export const MetricsPointSchema = Type.Omit(VmSampleSchema, ['vmId']);

/** `GET /v1/vms/{id}/metrics/history`, oldest first. */
export const VmMetricsHistorySchema = Type.Object({
  vmId: VmIdSchema,
  samples: Type.Array(MetricsPointSchema),
});
export type VmMetricsHistory = Static<typeof VmMetricsHistorySchema>;

/** Machines in one message about their use. */
export const SAMPLES_PER_MESSAGE_MAX = 1_000;

/** Executor to scheduler, at each of its intervals: not repeated, not stored. */
export const MetricsMessageSchema = Type.Object({
  type: Type.Literal('metrics'),
  samples: Type.Array(VmSampleSchema, { maxItems: SAMPLES_PER_MESSAGE_MAX }),
});
export type MetricsMessage = Static<typeof MetricsMessageSchema>;

/** `GET /v1/metrics` of the vm-scheduler: the newest of each machine that has some. */
export const MetricsAnswerSchema = Type.Object({ samples: Type.Array(VmSampleSchema) });

/** `POST /cluster-link/v1/metrics`: the newest of each machine; they replace those before. */
export const LinkMetricsSchema = Type.Object({
  protocolVersion: Type.Integer(),
  epoch: Type.Integer({ minimum: 1 }),
  samples: Type.Array(VmSampleSchema),
});

/** What is shown of a machine; null while nothing is known, as when it is off. */
export const VmMetricsSchema = Type.Object({
  vmId: VmIdSchema,
  latest: Type.Union([MetricsPointSchema, Type.Null()]),
});
export type VmMetrics = Static<typeof VmMetricsSchema>;
