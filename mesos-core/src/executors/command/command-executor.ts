import type { ExecutorEvent, TaskInfo } from '../../protocol/index.ts';
import type { BuiltInExecutor, ExecutorHost, ResumedTask } from '../executor-host.ts';
import { type TaskContainer, TaskRun } from '../task/task-run.ts';
import type { TaskContainerEnd, TaskUpdate } from '../task/task-update.ts';

/**
 * Runs the one task of a launch without an executor. In Mesos this is a process of its own, at a
 * hundred megabytes and a tenth of a second for each task; here the run's container is the task
 * itself, and this speaks for it.
 */
export class CommandExecutor implements BuiltInExecutor {
  readonly ended: Promise<TaskContainerEnd>;
  readonly #host: ExecutorHost;
  readonly #container: TaskContainer;
  #run: TaskRun | undefined;
  #reported: Promise<void> = Promise.resolve();

  constructor(host: ExecutorHost, container: TaskContainer, resumed: ResumedTask | undefined) {
    this.#host = host;
    this.#container = container;
    if (resumed !== undefined) this.#begin(resumed.task, resumed);
    this.ended = this.#settle();
  }

  send(events: readonly ExecutorEvent[]): void {
    for (const event of events) this.#handle(event);
  }

  close(): void {
    this.#run?.close();
  }

  #handle(event: ExecutorEvent): void {
    switch (event.type) {
      case 'LAUNCH':
        if (this.#run === undefined) this.#begin(event.launch.task, undefined);
        return;
      case 'KILL':
        this.#run?.kill(event.kill.kill_policy);
        return;
      case 'SHUTDOWN':
        // The agent itself ends what is left after the executor's grace period.
        if (this.#run === undefined) void this.#container.signal('SIGKILL');
        else this.#run.kill(undefined);
        return;
      case 'SUBSCRIBED':
      case 'LAUNCH_GROUP':
      case 'ACKNOWLEDGED':
      case 'MESSAGE':
      case 'ERROR':
      case 'HEARTBEAT':
      case 'UNKNOWN':
        return;
    }
  }

  #begin(task: TaskInfo, resumed: ResumedTask | undefined): void {
    const { clock, checkLimiter, tellsKilling, proberFor } = this.#host;
    const report = (update: TaskUpdate): void => {
      this.#reported = this.#host.update(task.task_id.value, update);
    };
    const { status, runningSinceMs = 0, killCause } = resumed ?? {};
    if (status === undefined) report({ state: 'TASK_STARTING' });
    const hasRun = status !== undefined && status.state !== 'TASK_STARTING';
    this.#run = new TaskRun({
      ...{ clock, task, checkLimiter, report },
      container: this.#container,
      resumed: hasRun ? { status, runningSinceMs, killCause } : undefined,
      recordKill: (cause) => this.#host.recordKill(task.task_id.value, cause),
      tellsKilling: tellsKilling && status?.state !== 'TASK_KILLING',
      prober: proberFor(task),
    });
  }

  async #settle(): Promise<TaskContainerEnd> {
    const end = await this.#container.exited;
    await this.#run?.ended;
    await this.#reported;
    return end;
  }
}
