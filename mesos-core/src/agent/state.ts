import type { Timer } from '@factory/runtime';
import type { KillCause } from '../executors/task/task-update.ts';
import {
  addResources,
  type ExecutorEvent,
  type ExecutorInfo,
  type FrameworkInfo,
  type KillPolicy,
  type Operation,
  type Resource,
  type Resources,
  type Task,
  type TaskInfo,
  type TaskStatusReason,
} from '../protocol/index.ts';
import type { Container, ContainerIdentity } from './containerizer/containerizer.ts';
import type { OnlineChanges } from './online/agent-description.ts';
import type { ConfiguredInfo } from './reconfiguration.ts';
import { isTerminalState, latestState, type StatusStream } from './status-stream.ts';

/** A framework with executors here, or with updates that it has not acknowledged. */
export interface Framework {
  readonly id: string;
  info: FrameworkInfo;
  /** It is gone: its executors are being ended, its updates go nowhere. */
  isShuttingDown: boolean;
  /** The runs that are not over, by executor id. */
  readonly executors: Map<string, ExecutorRun>;
  /** By task id; a task leaves when its terminal update is acknowledged. */
  readonly tasks: Map<string, TaskRecord>;
  /** Bounded; oldest first. */
  readonly completedExecutors: CompletedExecutor[];
  readonly completedTasks: CompletedTask[];
}

/**
 * What an executor can be. `registering`: started (or found alive) and not heard of yet;
 * `running`: it subscribed, though its stream may be broken now; `terminating`: told to end, or
 * being killed; `terminated`: its process is gone.
 */
export type ExecutorState = 'registering' | 'running' | 'terminating' | 'terminated';

/** What moves an executor from state to state. */
export type ExecutorTrigger = 'subscribed' | 'shutdown' | 'exited';

const TRANSITIONS: Readonly<
  Record<ExecutorState, Readonly<Partial<Record<ExecutorTrigger, ExecutorState>>>>
> = {
  registering: { subscribed: 'running', shutdown: 'terminating', exited: 'terminated' },
  running: { subscribed: 'running', shutdown: 'terminating', exited: 'terminated' },
  // It may ask again while it ends; it is told to SHUTDOWN again then.
  terminating: { subscribed: 'terminating', shutdown: 'terminating', exited: 'terminated' },
  terminated: {},
};

/** Moves the run; false (and no change) when its state does not allow it. */
export function transition(run: ExecutorRun, trigger: ExecutorTrigger): boolean {
  const next = TRANSITIONS[run.state][trigger];
  if (next === undefined) return false;
  run.state = next;
  return true;
}

/**
 * Who the executor is. `custom`: a process that the framework brings; `command`: built in, made up
 * for one task without an executor; `default`: built in, for task groups.
 */
export type ExecutorKind = 'custom' | 'command' | 'default';

/** One life of an executor: one container, one sandbox, one process. */
export interface ExecutorRun {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
  readonly kind: ExecutorKind;
  readonly info: ExecutorInfo;
  readonly directory: string;
  readonly user: string | undefined;
  state: ExecutorState;
  /** Durable before the executor runs. */
  identity: ContainerIdentity | undefined;
  /** Whether it subscribed at any time; survives the agent. */
  hasSubscribed: boolean;
  container: Container | undefined;
  connection: ExecutorConnection | undefined;
  /** Bounds the present wait: for a subscription, or for the end after SHUTDOWN. */
  timer: Timer | undefined;
  /** Launches that the executor was not told yet, in order. */
  readonly queue: QueuedLaunch[];
  /** Why the agent ends it, for the updates of its tasks. */
  endReason: EndReason | undefined;
}

/** Said in the last update of each task when its executor ends. */
export interface EndReason {
  readonly reason: TaskStatusReason;
  readonly message: string;
  /** The resources whose limits were exceeded. */
  readonly limitation?: Resources | undefined;
}

/** The stream to an executor. */
export interface ExecutorConnection {
  send(events: readonly ExecutorEvent[]): void;
  close(): void;
}

/** One LAUNCH (one task, no group) or LAUNCH_GROUP to come. */
export interface QueuedLaunch {
  readonly tasks: readonly TaskRecord[];
  readonly isGroup: boolean;
  /** Checkpointed, so that it may be acted upon. */
  isDurable: boolean;
}

/** A task from its arrival until the acknowledgement of its last update. */
export interface TaskRecord {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly containerId: string;
  readonly info: TaskInfo;
  /** The ids of all tasks of its group, itself included; `undefined` outside of groups. */
  readonly group: readonly string[] | undefined;
  /** The task's own container, nested in that of the default executor. */
  nested: NestedContainer | undefined;
  stream: StatusStream;
  /** The framework wants it ended; told to the executor again whenever it subscribes. */
  kill: KillRequest | undefined;
}

/** See {@link TaskRecord.nested}. */
export interface NestedContainer {
  readonly containerId: string;
  /** Durable before it runs. */
  readonly identity: ContainerIdentity | undefined;
}

/** A wish to end a task. */
export interface KillRequest {
  readonly policy: KillPolicy | undefined;
  /** Missing: the framework's own wish. */
  readonly cause?: KillCause | undefined;
}

/** A run that is over, for the operator API. */
export interface CompletedExecutor {
  readonly info: ExecutorInfo;
  readonly containerId: string;
  readonly directory: string;
}

/** A task that is over and acknowledged, for the operator API. */
export interface CompletedTask {
  readonly executorId: string;
  readonly containerId: string;
  readonly task: Task;
}

/** All that the agent knows; everything else is derived from it. */
export interface AgentState {
  /** Given by the first master; `undefined` before. */
  agentId: string | undefined;
  readonly frameworks: Map<string, Framework>;
  /** Bounded; oldest first. */
  readonly completedFrameworks: Framework[];
  /** What operations reserved and made volumes of: the rest of the agent's total is in its flags. */
  checkpointed: readonly Resource[];
  /** What was changed of resources and attributes while the agent ran. */
  online: OnlineChanges;
  /** What the flags of the last start said; `undefined` before the first. */
  configured: ConfiguredInfo | undefined;
  /** By uuid, in order of arrival; an operation leaves when its end is acknowledged. */
  readonly operations: Map<string, Operation>;
}

/** The state of an agent that has never run. */
export function emptyState(): AgentState {
  return {
    agentId: undefined,
    frameworks: new Map(),
    completedFrameworks: [],
    checkpointed: [],
    online: {},
    configured: undefined,
    operations: new Map(),
  };
}

/** A framework that the agent hears of for the first time. */
export function newFramework(id: string, info: FrameworkInfo): Framework {
  return {
    id,
    info,
    isShuttingDown: false,
    executors: new Map(),
    tasks: new Map(),
    completedExecutors: [],
    completedTasks: [],
  };
}

/** Whether the task has ended, acknowledged or not. */
export function isTerminal(task: TaskRecord): boolean {
  return isTerminalState(latestState(task.stream));
}

/** The run's tasks that have not ended, in order of arrival. */
export function liveTasks(framework: Framework, run: ExecutorRun): readonly TaskRecord[] {
  return [...framework.tasks.values()].filter(
    (task) => task.containerId === run.containerId && !isTerminal(task),
  );
}

/** Appends to a list that keeps its newest `max` entries. */
export function pushBounded<T>(list: T[], entry: T, max: number): void {
  list.push(entry);
  if (list.length > max) list.splice(0, list.length - max);
}

/** What the container of a default executor is entitled to: its own, and all of its live tasks. */
export function sharedResources(framework: Framework, run: ExecutorRun): Resources {
  const ofTasks = liveTasks(framework, run).flatMap(({ info }) => info.resources ?? []);
  return addResources(run.info.resources ?? [], ofTasks);
}
