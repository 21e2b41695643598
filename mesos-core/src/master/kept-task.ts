import {
  type AgentID,
  type FrameworkID,
  isSamePlainResources,
  type Resources,
  type Task,
  type TaskInfo,
  type TaskState,
  type TaskStatus,
  taskUser,
} from '../protocol/index.ts';
import { isTerminal } from './state.ts';

/** Statuses of a task that are kept: the newest. */
const STATUSES_PER_TASK_MAX = 10;

/** Whose a task is. */
interface Owners {
  readonly framework_id: FrameworkID;
  readonly agent_id: AgentID;
}

/**
 * A task as it is kept, made of what was launched. Ids are those of its owners, and resources those
 * of the task before it where they are equal: 50,000 tasks with parts of their own take 30 MB more.
 */
export function launchedTask(
  info: TaskInfo,
  { framework_id, agent_id }: Owners,
  before: Task | undefined,
): Task {
  const { name, task_id, executor, labels, discovery, container } = info;
  const { health_check, kill_policy, limits } = info;
  const user = taskUser(info);
  return {
    name,
    task_id,
    agent_id,
    framework_id,
    state: 'TASK_STAGING',
    resources: sharedResources(info.resources ?? [], before),
    statuses: [],
    ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
    ...(labels === undefined ? {} : { labels }),
    ...(discovery === undefined ? {} : { discovery }),
    ...(container === undefined ? {} : { container }),
    ...(health_check === undefined ? {} : { health_check }),
    ...(kill_policy === undefined ? {} : { kill_policy }),
    ...(limits === undefined ? {} : { limits }),
    ...(user === undefined ? {} : { user }),
  };
}

/** A task as it is kept, of what an agent that has come back tells of it. */
export function reportedTask(told: Task, owners: Owners, before: Task | undefined): Task {
  const { task_id, statuses = [] } = told;
  const { agent_id, framework_id } = owners;
  return {
    ...told,
    agent_id,
    framework_id,
    resources: sharedResources(told.resources ?? [], before),
    statuses: statuses.map((status) => keptStatus({ task_id, agent_id }, status)),
  };
}

/** The task after an update. Once over, it stays over: a late update of an earlier state changes nothing. */
export function updatedTask(task: Task, status: TaskStatus, latest: TaskState): Task {
  const statuses = task.statuses ?? [];
  // As Mesos keeps them: one for a run of the same state.
  const others = statuses.at(-1)?.state === status.state ? statuses.slice(0, -1) : statuses;
  return {
    ...task,
    state: isTerminal(task.state) ? task.state : latest,
    statuses: [...others, keptStatus(task, status)].slice(-STATUSES_PER_TASK_MAX),
    status_update_state: status.state,
    ...(status.uuid === undefined ? {} : { status_update_uuid: status.uuid }),
  };
}

/** Without data, which may be large and is the scheduler's business alone. */
function keptStatus(
  { task_id, agent_id }: Pick<Task, 'task_id' | 'agent_id'>,
  status: TaskStatus,
): TaskStatus {
  const kept = status.data === undefined ? status : withoutData(status);
  if (kept.task_id === task_id && kept.agent_id === agent_id) return kept;
  return kept.agent_id?.value === agent_id.value
    ? { ...kept, task_id, agent_id }
    : { ...kept, task_id };
}

function withoutData({ data: _, ...rest }: TaskStatus): TaskStatus {
  return rest;
}

function sharedResources(resources: Resources, before: Task | undefined): Resources {
  const others = before?.resources ?? [];
  return isSamePlainResources(resources, others) ? others : resources;
}
