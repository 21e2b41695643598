import type { ExecutorEvent, TaskInfo, TaskStatus } from '../protocol/index.ts';

/** An update on its way: it always has a uuid. */
export type PendingUpdate = TaskStatus & { readonly uuid: string };

/**
 * What an executor must tell an agent that comes back: tasks of which no update was acknowledged
 * yet (the agent may not know that they arrived), and updates that were not acknowledged.
 */
export interface Unacknowledged {
  readonly tasks: ReadonlyMap<string, TaskInfo>;
  /** By uuid, oldest first. */
  readonly updates: ReadonlyMap<string, PendingUpdate>;
}

export const NOTHING_UNACKNOWLEDGED: Unacknowledged = { tasks: new Map(), updates: new Map() };

/** After an update was made. */
export function withUpdate(state: Unacknowledged, update: PendingUpdate): Unacknowledged {
  return { ...state, updates: new Map([...state.updates, [update.uuid, update]]) };
}

/** After an event of the agent. */
export function afterEvent(state: Unacknowledged, event: ExecutorEvent): Unacknowledged {
  switch (event.type) {
    case 'LAUNCH':
      return withTasks(state, [event.launch.task]);
    case 'LAUNCH_GROUP':
      return withTasks(state, event.launch_group.task_group.tasks ?? []);
    case 'ACKNOWLEDGED': {
      const tasks = new Map(state.tasks);
      const updates = new Map(state.updates);
      tasks.delete(event.acknowledged.task_id.value);
      updates.delete(event.acknowledged.uuid);
      return { tasks, updates };
    }
    default:
      return state;
  }
}

function withTasks(state: Unacknowledged, added: readonly TaskInfo[]): Unacknowledged {
  const tasks = new Map(state.tasks);
  for (const task of added) tasks.set(task.task_id.value, task);
  return { ...state, tasks };
}
