import type { Clock, Logger, Random } from '@factory/runtime';
import {
  type AgentCall,
  type AgentInfo,
  newUuidBase64,
  type Resources,
  type TaskStatus,
} from '../protocol/index.ts';
import type { AgentSecurity } from '../security/index.ts';
import type { Change } from './checkpoint/checkpoint-store.ts';
import type { Containerizer } from './containerizer/containerizer.ts';
import type { Fetcher } from './fetcher/fetcher.ts';
import type { AgentMetrics } from './metrics.ts';
import type { Sandboxes } from './sandbox/sandboxes.ts';
import type { AgentSettings } from './settings.ts';
import type { AgentState, EndReason, ExecutorRun, TaskRecord } from './state.ts';
import type { StatusUpdates } from './status-updates.ts';

/** Where the agent can be reached, and the names it goes by. */
export interface AgentAddress {
  readonly hostname: string;
  /** Where others reach it. */
  readonly ip: string;
  readonly port: number;
  /** Where it listens, and executors with it; default: `ip`. */
  readonly listenIp?: string;
}

/** What the parts of one agent share. */
export interface AgentContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly settings: AgentSettings;
  readonly security: AgentSecurity;
  readonly address: AgentAddress;
  readonly state: AgentState;
  readonly containerizer: Containerizer;
  readonly fetcher: Fetcher;
  readonly sandboxes: Sandboxes;
  readonly updates: StatusUpdates;
  readonly metrics: AgentMetrics;
  /** Durable when it resolves; an empty list waits for what was committed before. */
  commit(changes: readonly Change[]): Promise<void>;
  /** Sends a call to the master; false when it did not get there. Never rejects. */
  callMaster(call: AgentCall): Promise<boolean>;
  agentInfo(): AgentInfo;
  /**
   * Makes the persistent volumes among the resources appear in the run's sandbox, or in another one
   * inside.
   * @throws VolumeError when that can't be.
   */
  linkVolumes(run: ExecutorRun, resources: Resources, sandbox?: string): Promise<void>;
  /** Takes those of them that the run has no more use for out of it again. */
  unlinkVolumes(run: ExecutorRun, resources: Resources): Promise<void>;
  /** Starts work that nobody waits for. An agent that can't do it (a full disk) must not go on. */
  spawn(work: Promise<unknown>): void;
}

/** The id that the master gave; empty before that, when nothing that needs it can happen. */
export function agentIdOf(context: Pick<AgentContext, 'state'>): string {
  return context.state.agentId ?? '';
}

/** How the agent itself ends a task. */
export interface TaskEnd extends EndReason {
  readonly state: TaskStatus['state'];
}

/** An update that the agent makes up itself; its timestamp is in seconds. */
export function agentStatus(context: AgentContext, task: TaskRecord, end: TaskEnd): TaskStatus {
  return {
    task_id: task.info.task_id,
    state: end.state,
    message: end.message,
    source: 'SOURCE_AGENT',
    reason: end.reason,
    ...(end.limitation === undefined ? {} : { limitation: { resources: end.limitation } }),
    agent_id: { value: agentIdOf(context) },
    ...(task.executorId === '' ? {} : { executor_id: { value: task.executorId } }),
    timestamp: context.clock.nowMs() / 1000,
    uuid: newUuidBase64(context.random),
  };
}
