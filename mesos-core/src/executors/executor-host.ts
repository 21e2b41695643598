import type { Clock, Limiter } from '@factory/runtime';
import type { ExecutorEvent, TaskInfo, TaskStatus } from '../protocol/index.ts';
import type { Prober } from './checks/check-loop.ts';
import type { KillCause, TaskContainerEnd, TaskUpdate } from './task/task-update.ts';

/**
 * An executor that lives in its agent's process: it hears the events that others read from a
 * stream. Nothing of it needs to be kept: containers outlive the agent, and all else the agent's
 * checkpoint says.
 */
export interface BuiltInExecutor {
  send(events: readonly ExecutorEvent[]): void;
  /** The agent stops: no more timers and checks. Containers go on. */
  close(): void;
  /** Resolves when its containers are gone and their tasks' last updates are safe. Never rejects. */
  readonly ended: Promise<TaskContainerEnd>;
}

/** What a built-in executor asks of its agent. */
export interface ExecutorHost {
  readonly clock: Clock;
  /** Of the agent: bounds the checks that look at the same time. */
  readonly checkLimiter: Limiter;
  /** Whether the framework wants to hear TASK_KILLING. */
  readonly tellsKilling: boolean;
  /** Takes an update of a task on its way; it is durable when this resolves. */
  update(taskId: string, update: TaskUpdate): Promise<void>;
  /**
   * The executor itself ends a task: durable when this resolves. A later agent goes on with that, by
   * KILL and {@link ResumedTask.killCause}.
   */
  recordKill(taskId: string, cause: KillCause): Promise<void>;
  /** How checks look at a task. */
  proberFor(task: TaskInfo): Prober;
}

/** A task that is to begin or, with its newest update, one that an earlier agent left. */
export interface ResumedTask {
  readonly task: TaskInfo;
  readonly status: TaskStatus | undefined;
  /** Wall-clock time of its first update, in milliseconds. */
  readonly runningSinceMs?: number | undefined;
  /** Why an earlier agent was ending it. */
  readonly killCause?: KillCause | undefined;
}
