import { createLimiter, type Limiter } from '@factory/runtime';
import type { NetworkProbes } from '../executors/checks/prober.ts';
import { CommandExecutor } from '../executors/command/command-executor.ts';
import type { ExecutorHost, ResumedTask } from '../executors/executor-host.ts';
import type { TaskContainer } from '../executors/task/task-run.ts';
import { newUuidBase64 } from '../protocol/index.ts';
import { proberFor } from './check-commands.ts';
import { type Container, UNKNOWN_EXIT_STATUS } from './containerizer/containerizer.ts';
import type { AgentContext } from './context.ts';
import type { ExecutorSessions } from './executor-sessions.ts';
import { type ExecutorRun, type Framework, liveTasks, type TaskRecord } from './state.ts';
import { latestState } from './status-stream.ts';
import type { Tasks } from './tasks.ts';

/** More checks than this don't look at the same time; the others wait for their turn. */
const CHECKS_AT_A_TIME = 32;

/** The executors that live in the agent itself. They speak the executor API without HTTP. */
export class BuiltInExecutors {
  readonly #context: AgentContext;
  readonly #sessions: ExecutorSessions;
  readonly #tasks: Tasks;
  readonly #checkLimiter: Limiter = createLimiter(CHECKS_AT_A_TIME);
  readonly #network: NetworkProbes;

  constructor(
    context: AgentContext,
    sessions: ExecutorSessions,
    tasks: Tasks,
    network: NetworkProbes,
  ) {
    this.#context = context;
    this.#sessions = sessions;
    this.#tasks = tasks;
    this.#network = network;
  }

  /** The run's container is there (again): its executor subscribes and goes on. */
  async start(framework: Framework, run: ExecutorRun, container: Container): Promise<number> {
    const live = liveTasks(framework, run);
    const begun = live.filter((task) => latestState(task.stream) !== 'TASK_STAGING');
    const host = this.#hostFor(framework, run);
    const executor = new CommandExecutor(host, containerOf(container), begun.map(resumedTask)[0]);
    const unacknowledged_tasks = begun.map((task) => task.info);
    this.#sessions.open(framework, run, { unacknowledged_tasks }, executor);
    return (await executor.ended).status ?? UNKNOWN_EXIT_STATUS;
  }

  #hostFor(framework: Framework, run: ExecutorRun): ExecutorHost {
    const { clock, random } = this.#context;
    const capabilities = framework.info.capabilities ?? [];
    return {
      clock,
      checkLimiter: this.#checkLimiter,
      tellsKilling: capabilities.some(({ type }) => type === 'TASK_KILLING_STATE'),
      update: (taskId, update) =>
        this.#tasks.updated(framework, run, {
          ...update,
          task_id: { value: taskId },
          source: 'SOURCE_EXECUTOR',
          timestamp: clock.nowMs() / 1000,
          uuid: newUuidBase64(random),
        }),
      proberFor: (task) => proberFor(this.#context, this.#network, framework, run, task),
    };
  }
}

function containerOf({ exited, signal }: Container): TaskContainer {
  return {
    exited: exited.then((end) => ({
      ...end,
      status: end.status === UNKNOWN_EXIT_STATUS ? undefined : end.status,
    })),
    signal,
  };
}

function resumedTask(task: TaskRecord): ResumedTask {
  const { history } = task.stream;
  const status = history.at(-1) ?? { task_id: task.info.task_id, state: 'TASK_STARTING' };
  // Of TASK_RUNNING the history keeps the newest: the first one's time is lost with a health update.
  const [first = status] = history;
  return { task: task.info, status, runningSinceMs: (first.timestamp ?? 0) * 1000 };
}
