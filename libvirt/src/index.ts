export { connectLibvirt } from './connect.ts';
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
export {
  createReconnectingLibvirt,
  type ReconnectingLibvirt,
  type ReconnectOptions,
} from './reconnecting.ts';
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
