import type {
  AgentID,
  SchedulerEvent,
  Task,
  TaskID,
  TaskState,
  TaskStatus,
} from '../protocol/index.ts';
import type { MasterCore } from './core.ts';
import type { EventStream } from './event-stream.ts';
import type { EventSource } from './paced-events.ts';
import type { RegisteredAgent } from './registry.ts';
import { type Framework, taskKey } from './state.ts';

/** A task that a scheduler asks about. */
interface ReconcileTask {
  readonly task_id: TaskID;
  readonly agent_id?: AgentID | undefined;
}

/** What the master says of a task that no agent has. */
interface Verdict {
  readonly state: TaskState;
  readonly message: string;
  readonly unreachableSinceMs?: number | undefined;
}

/** Answers RECONCILE: at the scheduler's pace, each with what is true when it is made. */
export class Reconciliation {
  readonly #core: MasterCore;
  /** Those that are to be told of all their tasks: the same as asking twice. */
  readonly #askedForAll = new WeakSet<EventStream<SchedulerEvent>>();

  constructor(core: MasterCore) {
    this.#core = core;
  }

  /**
   * Tells the latest state of each task; of all of the framework's when none is named. Says nothing
   * about tasks of agents that are still expected back after a failover of the master.
   */
  answer(framework: Framework, tasks: readonly ReconcileTask[]): void {
    const { stream } = framework;
    if (stream === undefined) return;
    if (tasks.length > 0) {
      stream.sendPaced(this.#updates(framework, tasks), tasks.length);
    } else if (!this.#askedForAll.has(stream)) {
      this.#askedForAll.add(stream);
      stream.sendPaced(this.#updatesOfAll(framework, stream), 1);
    }
  }

  *#updates(framework: Framework, tasks: readonly ReconcileTask[]): EventSource<SchedulerEvent> {
    for (const task of tasks) {
      yield this.#update(framework, statusOf(this.#core, framework, task));
    }
  }

  *#updatesOfAll(
    framework: Framework,
    stream: EventStream<SchedulerEvent>,
  ): EventSource<SchedulerEvent> {
    this.#askedForAll.delete(stream);
    const { state } = this.#core;
    for (const { task_id } of state.tasksOf(framework.id)) {
      // One that has gone meanwhile was acknowledged: the scheduler knows.
      const task = state.findTask(framework.id, task_id.value);
      yield task && this.#update(framework, latestStatus(this.#core, task));
    }
  }

  #update(framework: Framework, status: TaskStatus | undefined): SchedulerEvent | undefined {
    if (status === undefined) return undefined;
    this.#core.metrics.onMasterStatus(framework.id, status);
    return { type: 'UPDATE', update: { status } };
  }
}

/** Tells the latest state of one task at once. */
export function tellLatest(core: MasterCore, framework: Framework, task: ReconcileTask): void {
  const status = statusOf(core, framework, task);
  if (status !== undefined) core.sendStatus(framework, status);
}

function statusOf(
  core: MasterCore,
  framework: Framework,
  { task_id, agent_id }: ReconcileTask,
): TaskStatus | undefined {
  const known = core.state.findTask(framework.id, task_id.value);
  if (known !== undefined) return latestStatus(core, known);
  const verdict = verdictOn(core, framework, task_id.value, agent_id?.value);
  if (verdict === undefined) return undefined;
  const { unreachableSinceMs } = verdict;
  const status = core.masterStatus(
    task_id.value,
    agent_id?.value,
    core.lostState(framework.info, verdict.state),
    'REASON_RECONCILIATION',
    `Reconciliation: ${verdict.message}`,
  );
  if (unreachableSinceMs === undefined) return status;
  return { ...status, unreachable_time: { nanoseconds: unreachableSinceMs * 1e6 } };
}

function latestStatus(core: MasterCore, task: Task): TaskStatus {
  const { container_status, healthy, check_status } = task.statuses?.at(-1) ?? {};
  const status = core.masterStatus(
    task.task_id.value,
    task.agent_id.value,
    task.status_update_state ?? task.state,
    'REASON_RECONCILIATION',
    'Reconciliation: Latest task state',
  );
  return {
    ...status,
    ...(container_status === undefined ? {} : { container_status }),
    ...(healthy === undefined ? {} : { healthy }),
    ...(check_status === undefined ? {} : { check_status }),
  };
}

function verdictOn(
  core: MasterCore,
  framework: Framework,
  taskId: string,
  agentId: string | undefined,
): Verdict | undefined {
  const { state, registry } = core;
  const unreachable = state.unreachableTasks.get(taskKey(framework.id, taskId));
  const whereId = unreachable?.agent_id.value ?? agentId;
  if (whereId === undefined) return { state: 'TASK_UNKNOWN', message: 'Task is unknown' };
  if (state.agents.has(whereId)) {
    return { state: 'TASK_GONE', message: 'Task is unknown to the agent' };
  }
  const agent = byId(registry.agents).get(whereId);
  switch (agent?.state) {
    case 'admitted':
      return undefined;
    case 'unreachable': {
      const message = 'Task is unreachable';
      return { state: 'TASK_UNREACHABLE', message, unreachableSinceMs: agent.sinceMs };
    }
    case 'gone':
      return { state: 'TASK_GONE_BY_OPERATOR', message: 'Task is gone' };
    case undefined:
      return { state: 'TASK_UNKNOWN', message: 'Task is unknown' };
  }
}

const agentIndexes = new WeakMap<readonly RegisteredAgent[], Map<string, RegisteredAgent>>();

/** The registry is replaced when it changes: what was made of its agents stays true of them. */
function byId(agents: readonly RegisteredAgent[]): ReadonlyMap<string, RegisteredAgent> {
  const known = agentIndexes.get(agents);
  if (known !== undefined) return known;
  const index = new Map(agents.map((agent) => [agent.id, agent]));
  agentIndexes.set(agents, index);
  return index;
}
