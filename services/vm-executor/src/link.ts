import type { HostAttribute } from '@factory/contracts';

/** States that a VM's task goes through. It stays running for as long as the VM exists here. */
export type TaskState = 'TASK_RUNNING' | 'TASK_FINISHED' | 'TASK_FAILED' | 'TASK_KILLED';

/** A task that the agent hands to this executor. */
export interface LaunchedTask {
  readonly taskId: string;
  /** `TaskInfo.data`, decoded from base64. */
  readonly data: Uint8Array;
}

/** What the agent says of itself. */
export interface AgentSeen {
  readonly hostName: string;
  readonly attributes: readonly HostAttribute[];
}

/** What comes from the agent. */
export interface LinkHandlers {
  onLaunch(tasks: readonly LaunchedTask[]): void;
  onKill(taskId: string): void;
  /** A framework message of the scheduler. */
  onMessage(data: Uint8Array): void;
  /** The agent (re-)accepted us: framework messages sent from now on have a way to go. */
  onSubscribed(agent: AgentSeen): void;
  /** The agent wants this executor to end. */
  onShutdown(): void;
}

/** The executor's side of Mesos' executor API, as far as a VM executor needs it. */
export interface ExecutorLink {
  /** Subscribes, and keeps subscribing, until closed. */
  start(handlers: LinkHandlers): void;
  /** Delivered at least once, in order per task, across restarts of the agent. */
  updateTask(taskId: string, state: TaskState, message: string): void;
  /** A framework message to the scheduler; may be lost. */
  sendMessage(data: Uint8Array): Promise<void>;
  /** Ends the subscription; task updates that are not acknowledged yet have a moment to be. */
  close(): Promise<void>;
}
