import type { Resource, TaskState, TaskStatus, TaskStatusReason } from '../../protocol/index.ts';
import { describeExit, isSuccess } from './exit-status.ts';

/** What an executor says of a task; the agent adds ids, time and uuid. */
export type TaskUpdate = Pick<
  TaskStatus,
  'state' | 'message' | 'reason' | 'healthy' | 'check_status' | 'limitation'
>;

/** How a container ended. */
export interface TaskContainerEnd {
  /** As of wait(2); `undefined` when nobody knows. */
  readonly status: number | undefined;
  /** Why the agent itself ended it, such as REASON_CONTAINER_LIMITATION_MEMORY. */
  readonly reason?: TaskStatusReason | undefined;
  readonly message?: string | undefined;
  /** The limits that were exceeded. */
  readonly limitation?: readonly Resource[] | undefined;
}

/** Why an executor ends a task. */
export type KillCause = 'requested' | 'unhealthy' | 'overdue';

/**
 * The last update of a task, in the words of Mesos' executors. Pure.
 * @param killCause why the executor was ending it, if it was.
 */
export function lastUpdate(
  end: TaskContainerEnd,
  killCause: KillCause | undefined,
): TaskUpdate & { readonly state: TaskState } {
  const { status, reason, limitation } = end;
  const own =
    status === undefined
      ? 'Failed to get exit status for Command'
      : `Command ${describeExit(status)}`;
  const message = end.message === undefined ? own : `${own}: ${end.message}`;
  if (reason !== undefined) {
    const resources = limitation === undefined ? {} : { limitation: { resources: limitation } };
    return { state: 'TASK_FAILED', reason, message, ...resources };
  }
  if (killCause === 'overdue') {
    return { state: 'TASK_FAILED', reason: 'REASON_MAX_COMPLETION_TIME_REACHED', message };
  }
  if (status !== undefined && isSuccess(status)) return { state: 'TASK_FINISHED', message };
  switch (killCause) {
    case 'requested':
      return { state: 'TASK_KILLED', message };
    case 'unhealthy':
      return {
        ...{ state: 'TASK_KILLED', message, healthy: false },
        reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED',
      };
    case undefined:
      return { state: 'TASK_FAILED', message };
  }
}
