export type { LibvirtApi } from './api.ts';
export type {
  BlockCommitOptions,
  BlockCopyOptions,
  BlockJobInfo,
  BlockJobs,
  BlockJobType,
} from './block-jobs.ts';
export { connectLibvirt } from './connect.ts';
export type { DeviceOptions, Devices } from './devices.ts';
export {
  isLibvirtError,
  LibvirtAuthError,
  LibvirtDisconnectedError,
  LibvirtError,
  type LibvirtErrorCode,
  type LibvirtErrorLevel,
  LibvirtOverloadedError,
  LibvirtProtocolError,
  LibvirtStreamClosedError,
  LibvirtStreamOverflowError,
  LibvirtTimeoutError,
} from './errors.ts';
export type {
  DomainAgentEvent,
  DomainBlockJobEvent,
  DomainDeviceEvent,
  DomainEventKind,
  DomainEvents,
  DomainIoErrorEvent,
  DomainJobEvent,
  DomainRebootEvent,
} from './event-kinds.ts';
export type { GraphicsAddress } from './graphics.ts';
export type { GuestAgent, MountPointOptions } from './guest-agent.ts';
export type {
  GuestAddress,
  GuestFilesystem,
  GuestInfo,
  GuestInfoPart,
  GuestInterface,
  GuestOs,
} from './guest-info.ts';
export type { DomainJobOutcome, DomainJobStats, Jobs } from './jobs.ts';
export { type Monitor, MonitorError } from './monitor.ts';
export {
  createReconnectingLibvirt,
  type ReconnectingLibvirt,
  type ReconnectOptions,
} from './reconnecting.ts';
export type {
  Snapshot,
  SnapshotCreateOptions,
  SnapshotRevertOptions,
  Snapshots,
} from './snapshots.ts';
export { DEFAULT_SOCKET_PATHS } from './socket.ts';
export type { DomainLifecycle, DomainLifecycleEvent, DomainStatus } from './states.ts';
export type {
  BalloonStats,
  BlockStats,
  CpuStats,
  DomainStats,
  DomainStatsOptions,
  NetStats,
  StatsGroup,
  VcpuStats,
} from './stats.ts';
export type { TypedParams } from './typed-params.ts';
export type * from './types.ts';
