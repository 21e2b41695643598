import type { DomainInfo } from '../protocol/index.ts';
import type { ReconfigurationPolicy } from './reconfiguration.ts';

/** How an agent behaves; see {@link DEFAULT_AGENT_SETTINGS}. Durations in milliseconds. */
export interface AgentSettings {
  /** Below it: sandboxes, in Mesos' layout. */
  readonly workDir: string;
  /** From the start of an executor to its SUBSCRIBE. */
  readonly executorRegistrationTimeoutMs: number;
  /** From the start of the agent to the SUBSCRIBE of an executor that it found alive. */
  readonly executorReregistrationTimeoutMs: number;
  /** From SHUTDOWN to SIGKILL, where the ExecutorInfo names no other. */
  readonly executorShutdownGracePeriodMs: number;
  /** How long an executor without an agent waits for one before it gives up (told to executors). */
  readonly recoveryTimeoutMs: number;
  readonly executorHeartbeatIntervalMs: number;
  /** First wait before an unacknowledged update is sent again; doubles up to the maximum. */
  readonly statusUpdateRetryMinMs: number;
  readonly statusUpdateRetryMaxMs: number;
  /** Bounds of the random wait before the next attempt to reach a master. */
  readonly reconnectBaseMs: number;
  readonly reconnectMaxMs: number;
  /** Deadline of a call to the master, and of the head of the answer to SUBSCRIBE. */
  readonly masterCallTimeoutMs: number;
  /** What executors get besides Mesos' own variables. */
  readonly executorEnvironment: Readonly<Record<string, string>>;
  /** Run executors as the user that the framework names; only root can. */
  readonly switchUser: boolean;
  readonly completedFrameworksMax: number;
  readonly completedExecutorsPerFrameworkMax: number;
  readonly completedTasksPerFrameworkMax: number;
  /** What an executor that does not read may have waiting before its stream is cut. */
  readonly executorBufferBytesMax: number;
  /** `--default_role`: whom resources are reserved for that name no role. */
  readonly defaultRole: string;
  /** `--reconfiguration_policy`: what a start may change of the one before. */
  readonly reconfigurationPolicy: ReconfigurationPolicy;
  /** Region and zone of the agent. */
  readonly domain: DomainInfo | undefined;
}

/**
 * Mesos' own defaults where it has them, but for the retry of updates: Mesos waits 10 s to 10 min,
 * which only made sense when a message that was lost was rare and costly.
 */
export const DEFAULT_AGENT_SETTINGS: AgentSettings = {
  workDir: '/var/lib/mesos/agent',
  executorRegistrationTimeoutMs: 60_000,
  executorReregistrationTimeoutMs: 2000,
  executorShutdownGracePeriodMs: 5000,
  recoveryTimeoutMs: 15 * 60_000,
  executorHeartbeatIntervalMs: 30_000,
  statusUpdateRetryMinMs: 2000,
  statusUpdateRetryMaxMs: 60_000,
  reconnectBaseMs: 200,
  reconnectMaxMs: 5000,
  masterCallTimeoutMs: 10_000,
  executorEnvironment: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  switchUser: true,
  completedFrameworksMax: 50,
  completedExecutorsPerFrameworkMax: 150,
  completedTasksPerFrameworkMax: 1000,
  executorBufferBytesMax: 16 * 1024 * 1024,
  defaultRole: '*',
  reconfigurationPolicy: 'any',
  domain: undefined,
};
