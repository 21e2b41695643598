import { type Static, Type } from 'typebox';
import { ClusterIdSchema, ProjectIdSchema } from './ids.ts';
import type { VmState } from './vm-states.ts';

/**
 * What counts of a machine in each state: all of it while its guest is on; its disk from when its
 * host begins to make it until it is deleted. A failed machine has a disk if it ever had a host.
 */
export const USAGE_OF_STATE = {
  pending: 'nothing',
  scheduled: 'nothing',
  launching: 'nothing',
  preparing: 'disk',
  starting: 'disk',
  running: 'all',
  stopping: 'all',
  stopped: 'disk',
  rebooting: 'all',
  suspending: 'all',
  suspended: 'disk',
  resuming: 'disk',
  resizing: 'disk',
  rebuilding: 'disk',
  reverting: 'disk',
  deleting: 'disk',
  deleted: 'nothing',
  failed: 'diskOfHost',
  unreachable: 'disk',
} as const satisfies Readonly<Record<VmState, 'nothing' | 'disk' | 'diskOfHost' | 'all'>>;

export const USAGE_GROUPS = ['hour', 'day', 'project', 'cluster'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

const Time = Type.String({ format: 'date-time' });

/** What was used in a group; hours are exact to the second. */
export const UsageRowSchema = Type.Object({
  from: Type.Optional(Time),
  projectId: Type.Optional(ProjectIdSchema),
  clusterId: Type.Optional(ClusterIdSchema),
  cluster: Type.Optional(Type.String()),
  machineHours: Type.Number({ description: 'Machines that were on.' }),
  coreHours: Type.Number(),
  memoryGiBHours: Type.Number(),
  diskGiBHours: Type.Number({ description: 'Of machines that are off, too.' }),
});
export type UsageRow = Static<typeof UsageRowSchema>;

/** Usage of a period, in groups. */
export const UsageSchema = Type.Object({
  from: Time,
  to: Time,
  items: Type.Array(UsageRowSchema),
});
export type Usage = Static<typeof UsageSchema>;
