import { commandExecutorInfo } from '../executors/command/command-executor-info.ts';
import type {
  AgentEvent,
  ExecutorInfo,
  FrameworkInfo,
  TaskInfo,
  TaskStatus,
} from '../protocol/index.ts';
import type { Change } from './checkpoint/checkpoint-store.ts';
import { frameworkChange, progressChange, runChange, taskChange } from './checkpoint/records.ts';
import { type AgentContext, agentIdOf, type TaskEnd } from './context.ts';
import type { ExecutorSessions } from './executor-sessions.ts';
import { type Executors, idsOf, NEVER_BEGAN } from './executors.ts';
import {
  type ExecutorKind,
  type ExecutorRun,
  type Framework,
  isTerminal,
  newFramework,
  type QueuedLaunch,
  type TaskRecord,
} from './state.ts';
import { EMPTY_STREAM } from './status-stream.ts';
import { completeTask, endTasks } from './task-ends.ts';
import { refuseTask } from './task-refusal.ts';
import { completeStatus } from './views.ts';

type RunTasks = Extract<AgentEvent, { type: 'RUN_TASKS' }>;
type KillTask = Extract<AgentEvent, { type: 'KILL_TASK' }>;
type AcknowledgeUpdate = Extract<AgentEvent, { type: 'ACKNOWLEDGED' }>;

/** The lives of the tasks: launched, killed, updated, acknowledged. */
export class Tasks {
  readonly #context: AgentContext;
  readonly #executors: Executors;
  readonly #sessions: ExecutorSessions;

  constructor(context: AgentContext, executors: Executors, sessions: ExecutorSessions) {
    this.#context = context;
    this.#executors = executors;
    this.#sessions = sessions;
  }

  /** Runs the tasks that are new; an event that comes twice changes nothing. */
  run(event: RunTasks): void {
    const { logger } = this.#context;
    const frameworkId = event.framework.id?.value ?? '';
    const { framework, changes } = this.#frameworkFor(frameworkId, event.framework);
    const infos = event.tasks.filter((task) => !framework.tasks.has(task.task_id.value));
    if (infos.length === 0) return;
    if (framework.isShuttingDown) {
      logger.warn({ frameworkId }, 'ignoring tasks of a framework that is being shut down');
      return;
    }
    // A group lives and dies together: what one of its tasks can't have, none can.
    const refusals = infos.map((task) => refuseTask(frameworkId, event.executor, task));
    const groupRefusal = event.task_group && refusals.find((refusal) => refusal !== undefined);
    const refused = infos.map((info, index) => ({ info, end: groupRefusal ?? refusals[index] }));
    for (const { info, end } of refused) {
      if (end !== undefined) this.#refuse(framework, event.executor, info, end, changes);
    }
    const accepted = refused.filter(({ end }) => end === undefined).map(({ info }) => info);
    if (event.executor === undefined) {
      for (const info of accepted) {
        this.#launch(framework, commandExecutorInfo(info), [info], false, changes);
      }
      return;
    }
    if (accepted.length === 0) {
      this.#reportUnused(framework, event.executor);
      return;
    }
    const isGroup = event.task_group !== undefined;
    this.#launch(framework, event.executor, accepted, isGroup, changes);
  }

  /** The framework wants a task ended. */
  kill(event: KillTask): void {
    const framework = this.#context.state.frameworks.get(event.framework_id);
    const task = framework?.tasks.get(event.task_id);
    if (framework === undefined || task === undefined) {
      // The master knows what it launched here; it settles this one when the agent subscribes.
      this.#context.logger.warn({ taskId: event.task_id }, 'told to kill a task that is not here');
      return;
    }
    if (isTerminal(task)) return;
    // Why it is being killed does not change when somebody else wants it, too.
    task.kill = { policy: event.kill_policy, cause: task.kill?.cause };
    this.#context.spawn(this.#context.commit([progressChange(task)]));
    const run = framework.executors.get(task.executorId);
    if (run !== undefined) this.#sessions.kill(run, task);
  }

  /** The framework has handled an update: the next one follows. */
  async acknowledged(event: AcknowledgeUpdate): Promise<void> {
    const framework = this.#context.state.frameworks.get(event.framework_id);
    const task = framework?.tasks.get(event.task_id);
    if (framework === undefined || task === undefined) return;
    switch (this.#context.updates.acknowledge(task, event.uuid)) {
      case 'unexpected':
        return;
      case 'finished':
        await this.#context.commit(completeTask(this.#context, framework, task));
        return;
      case 'next':
        // Durable first: so are all updates that came before this acknowledgement, and the next
        // one may only be forwarded when it is.
        await this.#context.commit([progressChange(task)]);
        this.#context.updates.forward(task);
    }
  }

  /** An executor reports; it hears ACKNOWLEDGED when its update is safe with the agent. */
  async updated(framework: Framework, run: ExecutorRun, status: TaskStatus): Promise<void> {
    const { updates, metrics, logger, commit } = this.#context;
    const taskId = status.task_id.value;
    const task = framework.tasks.get(taskId);
    const acknowledge = (): void =>
      run.connection?.send([
        {
          type: 'ACKNOWLEDGED',
          acknowledged: { task_id: status.task_id, uuid: status.uuid ?? '' },
        },
      ]);
    if (task === undefined || task.containerId !== run.containerId) {
      const isOld = framework.completedTasks.some(({ task: old }) => old.task_id.value === taskId);
      if (!isOld) {
        metrics.invalidStatusUpdates += 1;
        logger.warn({ ...idsOf(run), taskId }, 'update of a task that this executor does not have');
      }
      acknowledge();
      return;
    }
    const outcome = updates.receive(task, completeStatus(this.#context, run, status));
    await commit(outcome === 'accepted' ? [progressChange(task)] : []);
    if (isTerminal(task)) await this.#context.unlinkVolumes(run, task.info.resources ?? []);
    if (outcome === 'accepted') updates.forward(task);
    acknowledge();
  }

  /** An executor's message to its framework. It may get lost, as messages may in Mesos. */
  async messageFromExecutor(run: ExecutorRun, data: string): Promise<void> {
    const arrived = await this.#context.callMaster({
      type: 'MESSAGE',
      agent_id: agentIdOf(this.#context),
      framework_id: run.frameworkId,
      executor_id: run.executorId,
      data,
    });
    if (!arrived) this.#context.logger.debug(idsOf(run), 'a message to the framework was lost');
  }

  /** A framework's message to its executor. It may get lost too. */
  messageToExecutor(event: Extract<AgentEvent, { type: 'MESSAGE' }>): void {
    const { state, metrics, logger } = this.#context;
    const run = state.frameworks.get(event.framework_id)?.executors.get(event.executor_id);
    if (run?.connection === undefined) {
      metrics.invalidFrameworkMessages += 1;
      const { framework_id: frameworkId, executor_id: executorId } = event;
      logger.warn({ frameworkId, executorId }, 'dropping a message: executor is not connected');
      return;
    }
    metrics.validFrameworkMessages += 1;
    run.connection.send([{ type: 'MESSAGE', message: { data: event.data } }]);
  }

  /** The framework's new description replaces the old one, if it is here at all. */
  updateFramework(info: FrameworkInfo): void {
    const framework = this.#context.state.frameworks.get(info.id?.value ?? '');
    if (framework === undefined) return;
    framework.info = info;
    this.#context.spawn(this.#context.commit([frameworkChange(framework)]));
  }

  #frameworkFor(id: string, info: FrameworkInfo): { framework: Framework; changes: Change[] } {
    const { state } = this.#context;
    const current = state.frameworks.get(id);
    if (current !== undefined && JSON.stringify(current.info) === JSON.stringify(info)) {
      return { framework: current, changes: [] };
    }
    const former = state.completedFrameworks.findIndex((framework) => framework.id === id);
    const [revived] = former < 0 ? [] : state.completedFrameworks.splice(former, 1);
    const framework = current ?? revived ?? newFramework(id, info);
    framework.info = info;
    framework.isShuttingDown &&= current !== undefined;
    state.frameworks.set(id, framework);
    return { framework, changes: [frameworkChange(framework)] };
  }

  #refuse(
    framework: Framework,
    executor: ExecutorInfo | undefined,
    info: TaskInfo,
    end: TaskEnd,
    changes: readonly Change[],
  ): void {
    const { logger } = this.#context;
    logger.warn({ taskId: info.task_id.value, why: end.message }, 'refusing a task');
    const executorId = executor?.executor_id.value ?? '';
    const task = newTask(framework.id, executorId, '', info, undefined);
    framework.tasks.set(info.task_id.value, task);
    const all = [...changes, taskChange(task)];
    this.#context.spawn(endTasks(this.#context, [task], end, { changes: all }));
  }

  /** The master has set resources aside for an executor that there will be no need for. */
  #reportUnused(framework: Framework, { executor_id }: ExecutorInfo): void {
    if (framework.executors.has(executor_id.value)) return;
    void this.#context.callMaster({
      type: 'EXECUTOR_EXITED',
      agent_id: agentIdOf(this.#context),
      framework_id: framework.id,
      executor_id: executor_id.value,
      container_id: '',
      status: NEVER_BEGAN,
    });
  }

  #launch(
    framework: Framework,
    executor: ExecutorInfo,
    infos: readonly TaskInfo[],
    isGroup: boolean,
    changes: readonly Change[],
  ): void {
    const executorId = executor.executor_id.value;
    const existing = framework.executors.get(executorId);
    // A command task has its executor to itself: one of that name is still on its way out.
    if (existing?.state === 'terminating' || existing?.kind === 'command') {
      for (const info of infos) {
        this.#refuse(framework, executor, info, droppedBy(framework), changes);
      }
      return;
    }
    const group = isGroup ? infos.map((info) => info.task_id.value) : undefined;
    const run =
      existing ?? this.#executors.create(framework, executor, kindOf(infos, executor, isGroup));
    const tasks = infos.map((info) =>
      newTask(framework.id, executorId, run.containerId, info, group),
    );
    for (const task of tasks) framework.tasks.set(task.info.task_id.value, task);
    const launches = toLaunches(tasks, isGroup);
    run.queue.push(...launches);
    const runChanges = existing === undefined ? [runChange(run)] : [];
    const intent = this.#context.commit([...changes, ...runChanges, ...tasks.map(taskChange)]);
    if (existing === undefined) this.#executors.launch(framework, run);
    this.#context.spawn(this.#deliverWhenDurable(run, launches, intent));
  }

  async #deliverWhenDurable(
    run: ExecutorRun,
    launches: readonly QueuedLaunch[],
    committed: Promise<void>,
  ): Promise<void> {
    await committed;
    // A new run has its volumes before it begins, tasks of the default executor in their sandboxes.
    const hasBegun = run.identity !== undefined && run.kind !== 'default';
    if (hasBegun && !(await this.#linkVolumes(run, launches))) return;
    for (const launch of launches) launch.isDurable = true;
    this.#sessions.deliver(run);
  }

  /** Gives a run what its new tasks need; false when they have failed for want of it. */
  async #linkVolumes(run: ExecutorRun, launches: readonly QueuedLaunch[]): Promise<boolean> {
    const tasks = launches.flatMap((launch) => launch.tasks);
    try {
      const resources = tasks.flatMap(({ info }) => info.resources ?? []);
      await this.#context.linkVolumes(run, resources);
      return true;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const left = run.queue.filter((launch) => !launches.includes(launch));
      run.queue.splice(0, run.queue.length, ...left);
      await endTasks(this.#context, tasks, {
        state: 'TASK_FAILED',
        reason: 'REASON_CONTAINER_UPDATE_FAILED',
        message: `Failed to update resources for container: ${why}`,
      });
      return false;
    }
  }
}

function newTask(
  frameworkId: string,
  executorId: string,
  containerId: string,
  info: TaskInfo,
  group: readonly string[] | undefined,
): TaskRecord {
  const stream = EMPTY_STREAM;
  const blank = { nested: undefined, kill: undefined };
  return { frameworkId, executorId, containerId, info, group, stream, ...blank };
}

function toLaunches(tasks: readonly TaskRecord[], isGroup: boolean): readonly QueuedLaunch[] {
  if (isGroup) return [{ tasks, isGroup, isDurable: false }];
  return tasks.map((task) => ({ tasks: [task], isGroup, isDurable: false }));
}

/** As Mesos: frameworks that know of partitions get the more precise state. */
function droppedBy(framework: Framework): TaskEnd {
  const capabilities = framework.info.capabilities ?? [];
  const isPartitionAware = capabilities.some(({ type }) => type === 'PARTITION_AWARE');
  return {
    state: isPartitionAware ? 'TASK_DROPPED' : 'TASK_LOST',
    reason: 'REASON_EXECUTOR_TERMINATED',
    message: 'Executor is terminating',
  };
}

/** Tasks of a group have commands, which are a custom executor's to carry out. */
function kindOf(
  infos: readonly TaskInfo[],
  executor: ExecutorInfo,
  isGroup: boolean,
): ExecutorKind {
  if (executor.type === 'DEFAULT') return 'default';
  if (isGroup) return 'custom';
  return infos.some((info) => info.command !== undefined) ? 'command' : 'custom';
}
