import type {
  AgentInfo,
  ExecutorInfo,
  FrameworkInfo,
  KillPolicy,
  Operation,
  OperationStatus,
  Resource,
  Task,
  TaskGroupInfo,
  TaskInfo,
  TaskStatus,
} from './messages.ts';

/**
 * What our master and our agent say to each other (Apache Mesos uses libprocess messages here, so
 * this part is ours): the agent dials out. `POST /internal/v1/agent` with SUBSCRIBE answers with an
 * endless RecordIO stream of {@link AgentEvent}s; every other {@link AgentCall} is answered 202.
 * JSON both ways; SUBSCRIBE in the form of agent-subscribe.ts. `Mesos-Stream-Id` binds the calls to the stream, as in the scheduler API.
 *
 * Delivery: calls may be repeated, so each is idempotent. Events may be lost with the stream: the
 * agent subscribes again with everything it has, and the master settles the difference (tasks it
 * launched that the agent does not know are lost; acknowledgements are sent again for updates that
 * the agent sends again).
 */
export const AGENT_API_PATH = '/internal/v1/agent';

/** Everything an agent knows, for a master that may know nothing. */
export interface AgentSubscribe {
  /** Has an `id` once a master gave it one; the id survives restarts of both. */
  readonly agent_info: AgentInfo;
  readonly version: string;
  /** What the agent's own API is spoken to in; default `http`. */
  readonly scheme?: 'http' | 'https' | undefined;
  readonly capabilities: readonly string[];
  /** Agent's total, dynamic reservations and volumes included. */
  readonly total_resources: readonly Resource[];
  /** Of all executors that are alive, and of all tasks. */
  readonly frameworks: readonly FrameworkInfo[];
  /** Those that are alive. */
  readonly executors: readonly ExecutorInfo[];
  /** Those that run, and those with unacknowledged terminal updates. */
  readonly tasks: readonly Task[];
  /** Those that are not over, and those with unacknowledged statuses. */
  readonly operations?: readonly Operation[] | undefined;
}

/** Sent again, with back-off, until ACKNOWLEDGED with the same uuid comes. */
export interface AgentUpdate {
  readonly framework_id: string;
  readonly status: TaskStatus;
  /** The newest state that the agent knows; updates before it may still be on their way. */
  readonly latest_state: NonNullable<TaskStatus['state']>;
}

export type AgentCall =
  | { readonly type: 'SUBSCRIBE'; readonly subscribe: AgentSubscribe }
  /** Sent at the interval that SUBSCRIBED names; silence makes the agent unreachable. */
  | { readonly type: 'HEARTBEAT'; readonly agent_id: string }
  /** It ends everything it has, and is not expected back. */
  | { readonly type: 'UNREGISTER'; readonly agent_id: string }
  | ({ readonly type: 'UPDATE'; readonly agent_id: string } & AgentUpdate)
  /** Several that are due at the same time: a call costs the master more than an update does. */
  | {
      readonly type: 'UPDATES';
      readonly agent_id: string;
      readonly updates: readonly AgentUpdate[];
    }
  | {
      readonly type: 'MESSAGE';
      readonly agent_id: string;
      readonly framework_id: string;
      readonly executor_id: string;
      /** base64 */
      readonly data: string;
    }
  | {
      readonly type: 'EXECUTOR_EXITED';
      readonly agent_id: string;
      readonly framework_id: string;
      readonly executor_id: string;
      /** Of the run that is over, empty when it never began: a late call must not end the next one. */
      readonly container_id: string;
      /** As of wait(2), exit code << 8 | signal; -1 when it never began. */
      readonly status: number;
    }
  /**
   * Resources (without what operations made of them) or attributes were changed while the agent
   * runs. Not repeated: SUBSCRIBE tells the same.
   */
  | { readonly type: 'UPDATE_AGENT'; readonly agent_id: string; readonly agent_info: AgentInfo }
  /** Sent again, with back-off, until OPERATION_ACKNOWLEDGED with the same uuids comes. */
  | {
      readonly type: 'UPDATE_OPERATION';
      readonly agent_id: string;
      /** base64 */
      readonly operation_uuid: string;
      readonly framework_id?: string | undefined;
      readonly status: OperationStatus;
    };

export type AgentEvent =
  | {
      readonly type: 'SUBSCRIBED';
      readonly agent_id: string;
      readonly heartbeat_interval_seconds: number;
      /** When another master leads: subscribe there after a random part of this; absent: at once. */
      readonly resubscribe_spread_ms?: number | undefined;
    }
  | { readonly type: 'HEARTBEAT' }
  /** Launch tasks under one executor; `executor` is undefined for command tasks. */
  | {
      readonly type: 'RUN_TASKS';
      readonly framework: FrameworkInfo;
      readonly executor?: ExecutorInfo | undefined;
      readonly tasks: readonly TaskInfo[];
      readonly task_group?: TaskGroupInfo | undefined;
    }
  | {
      readonly type: 'KILL_TASK';
      readonly framework_id: string;
      readonly task_id: string;
      readonly kill_policy?: KillPolicy | undefined;
    }
  | {
      readonly type: 'ACKNOWLEDGED';
      readonly framework_id: string;
      readonly task_id: string;
      /** base64 */
      readonly uuid: string;
    }
  | {
      readonly type: 'MESSAGE';
      readonly framework_id: string;
      readonly executor_id: string;
      /** base64 */
      readonly data: string;
    }
  /** Change the agent's resources; tasks that come after it may use the result. */
  | { readonly type: 'APPLY_OPERATION'; readonly operation: Operation }
  | {
      readonly type: 'OPERATION_ACKNOWLEDGED';
      /** base64 */
      readonly operation_uuid: string;
      /** Of the status; base64. */
      readonly uuid: string;
    }
  | { readonly type: 'UPDATE_FRAMEWORK'; readonly framework: FrameworkInfo }
  | {
      readonly type: 'SHUTDOWN_EXECUTOR';
      readonly framework_id: string;
      readonly executor_id: string;
    }
  /** The framework is gone for good: end its executors and forget it. */
  | { readonly type: 'SHUTDOWN_FRAMEWORK'; readonly framework_id: string }
  /** The agent was removed: end everything and register anew. */
  | { readonly type: 'SHUTDOWN'; readonly message: string };
