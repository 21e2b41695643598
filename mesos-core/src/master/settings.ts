import type { AllocatorOptions } from '../allocator/index.ts';
import type { DomainInfo } from '../protocol/index.ts';
import { DEFAULT_ALLOCATOR_OPTIONS } from './allocator-flags.ts';
import { DEFAULT_HISTORY_SETTINGS, type HistorySettings } from './history-flags.ts';
import { DEFAULT_RECOVERY_SETTINGS, type RecoverySettings } from './recovery-flags.ts';
import type { RemovalRate } from './removal-limit.ts';

/** What can be tuned; the names follow Mesos' flags. Durations in milliseconds. */
export interface MasterSettings
  extends Omit<AllocatorOptions, 'random' | 'isolateGroups'>,
    HistorySettings,
    RecoverySettings {
  /** Region and zone of the master. */
  readonly domain: DomainInfo | undefined;
  /** Label of frameworks that names their group, where groups do not share agents. */
  readonly frameworkGroupLabel: string | undefined;
  /** A framework's and an operator's stream gets a heartbeat this often. */
  readonly heartbeatIntervalMs: number;
  /** `--agent_ping_timeout`: agents are asked to speak this often. */
  readonly agentPingTimeoutMs: number;
  /** `--max_agent_ping_timeouts`: after so many missed ones an agent is unreachable. */
  readonly maxAgentPingTimeouts: number;
  /** `--agent_reregister_timeout`: time for known agents to come back after a master failover. */
  readonly agentReregisterTimeoutMs: number;
  /** `--agent_removal_rate_limit`: agents become unreachable no faster; `undefined`: no limit. */
  readonly agentRemovalRate: RemovalRate | undefined;
  /** `--allocation_interval`: how often refusals that have expired are looked for. */
  readonly allocationIntervalMs: number;
  /** `--max_operator_event_stream_subscribers`: one more, and the oldest is cut off. */
  readonly operatorSubscribersMax: number;
  /** `--offer_timeout`: offers that nobody answers for so long are rescinded; `undefined`: never. */
  readonly offerTimeoutMs: number | undefined;
}

export const DEFAULT_SETTINGS: MasterSettings = {
  heartbeatIntervalMs: 15_000,
  agentPingTimeoutMs: 15_000,
  maxAgentPingTimeouts: 5,
  agentReregisterTimeoutMs: 600_000,
  agentRemovalRate: undefined,
  allocationIntervalMs: 1_000,
  operatorSubscribersMax: 1000,
  offerTimeoutMs: undefined,
  domain: undefined,
  frameworkGroupLabel: undefined,
  ...DEFAULT_ALLOCATOR_OPTIONS,
  ...DEFAULT_HISTORY_SETTINGS,
  ...DEFAULT_RECOVERY_SETTINGS,
};

export interface MasterAddress {
  /** Of this master process; default: the cluster's. */
  readonly id?: string;
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
}

/** The version of the v1 API that is spoken: that of the last Apache Mesos. */
export const MESOS_VERSION = '1.12.0';
