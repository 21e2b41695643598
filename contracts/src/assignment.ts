import { type Static, Type } from 'typebox';
import { GuestInfoSchema } from './guest-info.ts';
import { BatchIdSchema, ProjectIdSchema, VmIdSchema } from './ids.ts';
import { withStanding } from './standing.ts';
import {
  AppliedSpecSchema,
  DesiredStateSchema,
  ExternalAddressSchema,
  TimelineSchema,
  VmSpecSchema,
} from './vm.ts';

/** One VM given to a cluster. A later `assignmentEpoch` replaces, an older one is refused. */
export const VmAssignmentSchema = Type.Object({
  vmId: VmIdSchema,
  batchId: BatchIdSchema,
  projectId: ProjectIdSchema,
  assignmentEpoch: Type.Integer({ minimum: 1 }),
  /** Counts the user's wishes; the host applies each once. */
  generation: Type.Integer({ minimum: 1 }),
  desired: DesiredStateSchema,
  spec: VmSpecSchema,
  /**
   * Only of a machine that the cluster was given before and has lost: the host that it was last
   * reported on, `null` when none was. It may still be there, so it is not made elsewhere.
   */
  lastHost: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
  /** Stages reached before the cluster got it. */
  timeline: TimelineSchema,
});
export type VmAssignment = Static<typeof VmAssignmentSchema>;

/** A VM as it was given to a cluster by this epoch. */
export const VmEpochSchema = Type.Object({
  vmId: VmIdSchema,
  assignmentEpoch: Type.Integer({ minimum: 1 }),
});
export type VmEpoch = Static<typeof VmEpochSchema>;

/** A new wish for a VM that the cluster already has. */
export const DesiredChangeSchema = Type.Object({
  vmId: VmIdSchema,
  /** Only for the machine that was given with this epoch, or before; absent: with whichever. */
  assignmentEpoch: Type.Optional(Type.Integer({ minimum: 1 })),
  generation: Type.Integer({ minimum: 1 }),
  desired: DesiredStateSchema,
  /** What the machine is to be from this wish on; absent: what it was to be before. */
  spec: Type.Optional(VmSpecSchema),
});
export type DesiredChange = Static<typeof DesiredChangeSchema>;

/** What a cluster says of one VM. A later `revision` replaces an older one. */
export const VmReportSchema = withStanding({
  vmId: VmIdSchema,
  assignmentEpoch: Type.Integer(),
  /** Made by the vm-scheduler; grows with every change of the VM, across restarts. */
  revision: Type.Integer(),
  /** The wish that the host has applied. */
  generation: Type.Integer(),
  stateSinceMs: Type.Number(),
  guestReady: Type.Boolean(),
  hostName: Type.Union([Type.String(), Type.Null()]),
  timeline: TimelineSchema,
  /** What the machine is by that wish; absent before a second one. */
  applied: Type.Optional(AppliedSpecSchema),
  externalAddress: Type.Optional(ExternalAddressSchema),
  /** What its guest says of itself; absent while nothing is known. */
  guest: Type.Optional(GuestInfoSchema),
});
export type VmReport = Static<typeof VmReportSchema>;
