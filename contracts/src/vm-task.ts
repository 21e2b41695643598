import { type Static, Type } from 'typebox';
import { DesiredChangeSchema } from './assignment.ts';
import { GuestInfoSchema } from './guest-info.ts';
import { PullTicketsMessageSchema, StageImagesMessageSchema } from './host-images.ts';
import { OperationIdSchema, ProjectIdSchema, VmIdSchema } from './ids.ts';
import { InventoryDigestSchema } from './inventory-digest.ts';
import {
  OperationProgressSchema,
  OperationRequestSchema,
  OperationResultSchema,
} from './operations.ts';
import { HostTunnelSchema, PeersChangeMessageSchema, PeersMessageSchema } from './peers.ts';
import { withStanding } from './standing.ts';
import {
  AppliedSpecSchema,
  DesiredStateSchema,
  ExternalAddressSchema,
  TimelineSchema,
  VmSpecSchema,
} from './vm.ts';

/**
 * What vm-scheduler and vm-executor say to each other, inside Mesos' `TaskInfo.data` and framework
 * messages (JSON, UTF-8). Framework messages may be lost, doubled or late: all of these are
 * level-triggered or carry an id, and are repeated until they show effect.
 */
export const VM_TASK_VERSION = 1;

/** `TaskInfo.data`. The task id is `<vmId>.<attempt>`: a VM keeps its id, each launch is a new task. */
export const VmTaskDataSchema = Type.Object({
  version: Type.Literal(VM_TASK_VERSION),
  vmId: VmIdSchema,
  projectId: ProjectIdSchema,
  assignmentEpoch: Type.Integer({ minimum: 1 }),
  generation: Type.Integer({ minimum: 1 }),
  /** `deleted` launches a task that only cleans up what an earlier one left. */
  desired: DesiredStateSchema,
  spec: VmSpecSchema,
});
export type VmTaskData = Static<typeof VmTaskDataSchema>;

/** `TaskInfo.data` of a task that only starts an executor, on a host without machines. */
export const WakeTaskDataSchema = Type.Object({
  version: Type.Literal(VM_TASK_VERSION),
  wake: Type.Literal(true),
});
export type WakeTaskData = Static<typeof WakeTaskDataSchema>;

/** Scheduler to executor. */
export const SchedulerMessageSchema = Type.Union([
  Type.Object({
    type: Type.Literal('setDesired'),
    changes: Type.Array(DesiredChangeSchema),
  }),
  Type.Object({ type: Type.Literal('operate'), operations: Type.Array(OperationRequestSchema) }),
  /** Results of these operations are durable at the scheduler; the executor may forget them. */
  Type.Object({
    type: Type.Literal('operationsSeen'),
    operationIds: Type.Array(OperationIdSchema),
  }),
  PeersMessageSchema,
  PeersChangeMessageSchema,
  /** These tasks end, and what they were launched for is kept, if nothing runs in it. */
  Type.Object({ type: Type.Literal('release'), taskIds: Type.Array(Type.String()) }),
  /** Asks for a full heartbeat at once. */
  Type.Object({ type: Type.Literal('report') }),
  StageImagesMessageSchema,
  PullTicketsMessageSchema,
]);
export type SchedulerMessage = Static<typeof SchedulerMessageSchema>;

/** What the executor says of one VM; `seq` grows with every change, across executor restarts. */
export const VmObservationSchema = withStanding({
  vmId: VmIdSchema,
  seq: Type.Integer({ minimum: 1 }),
  generation: Type.Integer({ minimum: 0 }),
  stateSinceMs: Type.Number(),
  guestReady: Type.Boolean(),
  timeline: TimelineSchema,
  /** What the machine is by that wish; absent before a second one. */
  applied: Type.Optional(AppliedSpecSchema),
  externalAddress: Type.Optional(ExternalAddressSchema),
  /** What its guest says of itself; absent while nothing is known. */
  guest: Type.Optional(GuestInfoSchema),
});
export type VmObservation = Static<typeof VmObservationSchema>;

/** What is on a host in our name without a task that speaks for it. */
export const OrphanSchema = Type.Object({
  vmId: VmIdSchema,
  hasDomain: Type.Boolean(),
  /** A folder, disk or lease of it. */
  hasFiles: Type.Boolean(),
  /** Network cards; executors of earlier versions don't say. */
  hasCards: Type.Optional(Type.Boolean()),
});
export type Orphan = Static<typeof OrphanSchema>;

/**
 * Executor to scheduler: changes at once, and at each heartbeat the digest of all that it has. When
 * that is not what the scheduler knows, it asks for everything (`full`), which also comes by itself
 * now and then.
 */
export const ExecutorMessageSchema = Type.Object({
  type: Type.Literal('status'),
  full: Type.Boolean(),
  vms: Type.Array(VmObservationSchema),
  operations: Type.Array(OperationResultSchema),
  /** Of all VMs of the executor, whether or not this message speaks of them. */
  digest: Type.Optional(InventoryDigestSchema),
  /** Of operations that run and take long. */
  progress: Type.Optional(Type.Array(OperationProgressSchema)),
  /** In a full one, once the host has been searched. */
  orphans: Type.Optional(Type.Array(OrphanSchema)),
  tunnel: Type.Optional(HostTunnelSchema),
});
export type ExecutorMessage = Static<typeof ExecutorMessageSchema>;

/** Heartbeat interval of the executor; after three missed ones its VMs are `unreachable`. */
export const EXECUTOR_HEARTBEAT_INTERVAL_MS = 5_000;

/** `<vmId>.<attempt>`. */
export function vmTaskId(vmId: string, attempt: number): string {
  return `${vmId}.${attempt}`;
}

/** The parts of a task id made by {@link vmTaskId}, or `undefined` for foreign ones. */
export function parseVmTaskId(taskId: string): { vmId: string; attempt: number } | undefined {
  const match = /^(vm_[0-9a-f]{32})\.(\d+)$/.exec(taskId);
  const [, vmId, attempt] = match ?? [];
  return vmId === undefined || attempt === undefined
    ? undefined
    : { vmId, attempt: Number(attempt) };
}
