import { createLimiter, type Limiter } from '@factory/runtime';
import type { NetworkProbes } from '../executors/checks/prober.ts';
import { CommandExecutor } from '../executors/command/command-executor.ts';
import {
  DefaultExecutor,
  type DefaultExecutorHost,
} from '../executors/default/default-executor.ts';
import type { BuiltInExecutor, ExecutorHost, ResumedTask } from '../executors/executor-host.ts';
import type { TaskContainer } from '../executors/task/task-run.ts';
import type { TaskUpdate } from '../executors/task/task-update.ts';
import { newUuidBase64 } from '../protocol/index.ts';
import { proberFor } from './check-commands.ts';
import { progressChange } from './checkpoint/records.ts';
import { type Container, UNKNOWN_EXIT_STATUS } from './containerizer/containerizer.ts';
import type { AgentContext } from './context.ts';
import type { ExecutorSessions } from './executor-sessions.ts';
import { type Executors, endReasonOf } from './executors.ts';
import { nestedContainerId, openNestedContainer } from './nested-tasks.ts';
import {
  type ExecutorRun,
  type Framework,
  liveTasks,
  sharedResources,
  type TaskRecord,
} from './state.ts';
import { isTerminalState, latestState } from './status-stream.ts';
import type { Tasks } from './tasks.ts';

/** More checks than this don't look at the same time; the others wait for their turn. */
const CHECKS_AT_A_TIME = 32;

/** The executors that live in the agent itself. They speak the executor API without HTTP. */
export class BuiltInExecutors {
  readonly #context: AgentContext;
  readonly #executors: Executors;
  readonly #sessions: ExecutorSessions;
  readonly #tasks: Tasks;
  readonly #checkLimiter: Limiter = createLimiter(CHECKS_AT_A_TIME);
  readonly #network: NetworkProbes;

  constructor(
    context: AgentContext,
    executors: Executors,
    sessions: ExecutorSessions,
    tasks: Tasks,
    network: NetworkProbes,
  ) {
    this.#context = context;
    this.#executors = executors;
    this.#sessions = sessions;
    this.#tasks = tasks;
    this.#network = network;
  }

  /**
   * The run's container is there (again): its executor subscribes and goes on. Resolves with a
   * status as of wait(2) when it has ended.
   */
  async start(framework: Framework, run: ExecutorRun, container: Container): Promise<number> {
    const live = liveTasks(framework, run);
    const begun = live.filter((task) => latestState(task.stream) !== 'TASK_STAGING');
    const groups = groupsOf(live).filter((group) => group.some((task) => begun.includes(task)));
    const executor = this.#create(framework, run, containerOf(container), groups);
    const unacknowledged_tasks = groups.flat().map((task) => task.info);
    this.#sessions.open(framework, run, { unacknowledged_tasks }, executor);
    // The agent may have died between the end of its last task and its own.
    const isIdle = run.kind === 'default' && liveTasks(framework, run).length === 0;
    if (isIdle) this.#executors.shutdown(run);
    const end = await executor.ended;
    run.endReason ??= endReasonOf(end);
    return end.status ?? UNKNOWN_EXIT_STATUS;
  }

  #create(
    framework: Framework,
    run: ExecutorRun,
    root: TaskContainer,
    groups: readonly (readonly TaskRecord[])[],
  ): BuiltInExecutor {
    const host = this.#hostFor(framework, run);
    const resumed = groups.map((group) => group.map(resumedTask));
    if (run.kind === 'command') return new CommandExecutor(host, root, resumed[0]?.[0]);
    return new DefaultExecutor(this.#defaultHostFor(framework, run, host), root, resumed);
  }

  #defaultHostFor(framework: Framework, run: ExecutorRun, host: ExecutorHost): DefaultExecutorHost {
    const context = this.#context;
    const opened = new Map<string, Container>();
    return {
      ...host,
      openContainer: async (task) => {
        context.spawn(run.container?.update(sharedResources(framework, run)) ?? Promise.resolve());
        const container = await openNestedContainer(context, framework, run, task);
        opened.set(task.task_id.value, container);
        return containerOf(container);
      },
      update: async (taskId, update) => {
        await host.update(taskId, update);
        if (isTerminalState(update.state)) await opened.get(taskId)?.forget();
      },
      killTask: (taskId) =>
        this.#tasks.kill({ type: 'KILL_TASK', framework_id: framework.id, task_id: taskId }),
      shutdown: () => this.#executors.shutdown(run),
    };
  }

  #hostFor(framework: Framework, run: ExecutorRun): ExecutorHost {
    const { clock } = this.#context;
    const capabilities = framework.info.capabilities ?? [];
    return {
      clock,
      checkLimiter: this.#checkLimiter,
      tellsKilling: capabilities.some(({ type }) => type === 'TASK_KILLING_STATE'),
      update: (taskId, update) => this.#update(framework, run, taskId, update),
      recordKill: async (taskId, cause) => {
        const task = framework.tasks.get(taskId);
        if (task === undefined) return;
        task.kill ??= { policy: undefined, cause };
        await this.#context.commit([progressChange(task)]);
      },
      proberFor: ({ task_id }) => {
        const task = framework.tasks.get(task_id.value);
        return proberFor(this.#context, this.#network, framework, run, task);
      },
    };
  }

  #update(
    framework: Framework,
    run: ExecutorRun,
    taskId: string,
    update: TaskUpdate,
  ): Promise<void> {
    const { clock, random } = this.#context;
    const task = run.kind === 'default' ? framework.tasks.get(taskId) : undefined;
    const value = task && nestedContainerId(this.#context, task);
    const container_id = value && { value, parent: { value: run.containerId } };
    return this.#tasks.updated(framework, run, {
      ...update,
      ...(container_id ? { container_status: { container_id } } : {}),
      task_id: { value: taskId },
      source: 'SOURCE_EXECUTOR',
      timestamp: clock.nowMs() / 1000,
      uuid: newUuidBase64(random),
    });
  }
}

/** The tasks by the groups that they were launched in; a task without one is its own. */
function groupsOf(tasks: readonly TaskRecord[]): readonly (readonly TaskRecord[])[] {
  const key = ({ group, info }: TaskRecord): string => JSON.stringify(group ?? info.task_id.value);
  return [...Map.groupBy(tasks, key).values()];
}

function containerOf({ exited, kill, signal }: Container): TaskContainer {
  return {
    exited: exited.then((end) => ({
      ...end,
      status: end.status === UNKNOWN_EXIT_STATUS ? undefined : end.status,
    })),
    signal: (name) => (name === 'SIGKILL' ? kill() : signal(name)),
  };
}

function resumedTask(task: TaskRecord): ResumedTask {
  const { history } = task.stream;
  // Of TASK_RUNNING the history keeps the newest: the first one's time is lost with a health update.
  const [first] = history;
  const runningSinceMs = (first?.timestamp ?? 0) * 1000;
  const killCause = task.kill?.cause;
  return { task: task.info, status: history.at(-1), runningSinceMs, killCause };
}
