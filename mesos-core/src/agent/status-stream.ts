import type { TaskState, TaskStatus } from '../protocol/index.ts';

/** The updates of one task on their way from executor to framework. Immutable. */
export interface StatusStream {
  /** Not yet acknowledged by the framework, oldest first; only the first is forwarded. */
  readonly pending: readonly TaskStatus[];
  /** The uuids received last, so that an update which is sent twice is forwarded once. */
  readonly seen: readonly string[];
  /** The states that the task went through, each with its newest status, oldest first. */
  readonly history: readonly TaskStatus[];
}

/** What became of an update; anything but `accepted` changes nothing. */
export type Received =
  | { readonly outcome: 'accepted'; readonly stream: StatusStream }
  /** The same update came before. */
  | { readonly outcome: 'duplicate' }
  /** The task has ended already: nothing can follow. */
  | { readonly outcome: 'late' };

/** What became of an acknowledgement. */
export type Acknowledged =
  | {
      readonly outcome: 'accepted';
      readonly stream: StatusStream;
      /** The end of the task is acknowledged: nothing is left to do. */
      readonly finished: boolean;
    }
  /** Not for the update that is on its way: an old acknowledgement that came twice. */
  | { readonly outcome: 'unexpected' };

/** No updates yet. */
export const EMPTY_STREAM: StatusStream = { pending: [], seen: [], history: [] };

/** Uuids remembered; an executor sends again only what is not acknowledged, which is less. */
const SEEN_COUNT_MAX = 100;
/** As many changes of state are shown of a task. */
const HISTORY_COUNT_MAX = 20;

const TERMINAL_STATES: ReadonlySet<TaskState> = new Set<TaskState>([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);

/** Whether a task in this state has ended for good. */
export function isTerminalState(state: TaskState): boolean {
  return TERMINAL_STATES.has(state);
}

/** The state of the task as the agent knows it, forwarded or not. */
export function latestState(stream: StatusStream): TaskState {
  return stream.history.at(-1)?.state ?? 'TASK_STAGING';
}

/** Takes an update (with uuid) from the executor or from the agent itself. */
export function receiveStatus(stream: StatusStream, status: TaskStatus): Received {
  const { uuid = '' } = status;
  if (stream.seen.includes(uuid)) return { outcome: 'duplicate' };
  if (isTerminalState(latestState(stream))) return { outcome: 'late' };
  return {
    outcome: 'accepted',
    stream: {
      pending: [...stream.pending, status],
      seen: [...stream.seen, uuid].slice(-SEEN_COUNT_MAX),
      history: appendHistory(stream.history, status),
    },
  };
}

/** As Mesos shows them: a status of the same state takes the place of the one before. */
function appendHistory(history: readonly TaskStatus[], status: TaskStatus): readonly TaskStatus[] {
  const kept = history.at(-1)?.state === status.state ? history.slice(0, -1) : history;
  return [...kept, status].slice(-HISTORY_COUNT_MAX);
}

/** The framework has handled the update with this uuid. */
export function acknowledgeStatus(stream: StatusStream, uuid: string): Acknowledged {
  const [head, ...pending] = stream.pending;
  if (head === undefined || head.uuid !== uuid) return { outcome: 'unexpected' };
  return {
    outcome: 'accepted',
    stream: { ...stream, pending },
    finished: isTerminalState(head.state),
  };
}
