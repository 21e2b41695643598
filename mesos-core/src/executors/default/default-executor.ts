import type { ExecutorEvent, KillPolicy, TaskInfo } from '../../protocol/index.ts';
import type { BuiltInExecutor, ExecutorHost, ResumedTask } from '../executor-host.ts';
import { type TaskContainer, TaskRun } from '../task/task-run.ts';
import { lastUpdate, type TaskContainerEnd, type TaskUpdate } from '../task/task-update.ts';

/** What the default executor asks of its agent besides. */
export interface DefaultExecutorHost extends ExecutorHost {
  /**
   * Starts the nested container of a task, or finds the one that an earlier agent started.
   * @throws when it can't be started; the message is for the framework.
   */
  openContainer(task: TaskInfo): Promise<TaskContainer>;
  /** A wish to end a task that outlives the agent; comes back as KILL. */
  killTask(taskId: string): void;
  /** The executor has nothing left to do; comes back as SHUTDOWN. */
  shutdown(): void;
}

/** Tasks that were launched together: they live and die together. */
type Group = readonly Member[];

interface Member {
  readonly task: TaskInfo;
  container: TaskContainer | undefined;
  run: TaskRun | undefined;
  /** Wished before its container was there. */
  earlyKill: { readonly policy: KillPolicy | undefined } | undefined;
}

/**
 * Runs groups of tasks, each task in a container nested in the executor's own, which is there to
 * hold their shares and dies with them. When a task of a group does not end well, the others are
 * killed; when no task is left, the executor ends (as Mesos' default executor).
 */
export class DefaultExecutor implements BuiltInExecutor {
  readonly ended: Promise<TaskContainerEnd>;
  readonly #host: DefaultExecutorHost;
  readonly #root: TaskContainer;
  readonly #members = new Map<string, { readonly member: Member; readonly group: Group }>();
  readonly #reports = new Set<Promise<void>>();
  #isShuttingDown = false;
  #isClosed = false;
  /** The executor's own container is gone: nothing may be left of it. */
  #isOver = false;

  constructor(
    host: DefaultExecutorHost,
    root: TaskContainer,
    resumed: readonly (readonly ResumedTask[])[],
  ) {
    this.#host = host;
    this.#root = root;
    for (const group of resumed) this.#begin(group);
    this.ended = this.#settle();
  }

  send(events: readonly ExecutorEvent[]): void {
    for (const event of events) this.#handle(event);
  }

  close(): void {
    this.#isClosed = true;
    for (const { member } of this.#members.values()) member.run?.close();
  }

  #handle(event: ExecutorEvent): void {
    switch (event.type) {
      case 'LAUNCH':
        this.#begin([{ task: event.launch.task, status: undefined }]);
        return;
      case 'LAUNCH_GROUP':
        this.#begin((event.launch_group.task_group.tasks ?? []).map(fresh));
        return;
      case 'KILL':
        this.#kill(event.kill.task_id.value, event.kill.kill_policy);
        return;
      case 'SHUTDOWN':
        this.#isShuttingDown = true;
        for (const taskId of this.#members.keys()) this.#kill(taskId, undefined);
        this.#endIfIdle();
        return;
      case 'SUBSCRIBED':
      case 'ACKNOWLEDGED':
      case 'MESSAGE':
      case 'ERROR':
      case 'HEARTBEAT':
      case 'UNKNOWN':
        return;
    }
  }

  #begin(tasks: readonly ResumedTask[]): void {
    const unknown = tasks.filter(({ task }) => !this.#members.has(task.task_id.value));
    const group = unknown.map(
      ({ task }): Member => ({
        ...{ task, container: undefined, run: undefined, earlyKill: undefined },
      }),
    );
    for (const member of group) this.#members.set(member.task.task_id.value, { member, group });
    // All are told to start before the first one does.
    for (const { task, status } of unknown) {
      if (status === undefined) this.#report(task, { state: 'TASK_STARTING' });
    }
    unknown.forEach((resumed, index) => {
      const member = group[index];
      if (member !== undefined) void this.#live(member, group, resumed);
    });
  }

  async #live(member: Member, group: Group, resumed: ResumedTask): Promise<void> {
    const { task } = member;
    const report = (update: TaskUpdate): void => this.#report(task, update);
    let isSuccess = false;
    try {
      const container = await this.#host.openContainer(task);
      member.container = container;
      if (this.#isOver) void container.signal('SIGKILL');
      if (this.#isClosed) return;
      member.run = this.#run(task, container, resumed, report);
      if (member.earlyKill !== undefined) member.run.kill(member.earlyKill.policy);
      const end = await member.run.ended;
      if (this.#isClosed) return;
      if (end.reason !== undefined) report(lastUpdate(end, undefined));
      isSuccess = end.reason === undefined && end.status === 0;
    } catch (error) {
      if (this.#isClosed) return;
      const why = error instanceof Error ? error.message : String(error);
      const message = `Failed to launch container: ${why}`;
      report({ state: 'TASK_FAILED', reason: 'REASON_CONTAINER_LAUNCH_FAILED', message });
    }
    this.#over(member, group, isSuccess);
  }

  #run(
    task: TaskInfo,
    container: TaskContainer,
    { status, runningSinceMs = 0, killCause }: ResumedTask,
    report: (update: TaskUpdate) => void,
  ): TaskRun {
    const { clock, checkLimiter, tellsKilling, proberFor } = this.#host;
    const hasRun = status !== undefined && status.state !== 'TASK_STARTING';
    return new TaskRun({
      ...{ clock, task, container, checkLimiter, report },
      resumed: hasRun ? { status, runningSinceMs, killCause } : undefined,
      recordKill: (cause) => this.#host.recordKill(task.task_id.value, cause),
      tellsKilling: tellsKilling && status?.state !== 'TASK_KILLING',
      prober: proberFor(task),
    });
  }

  #kill(taskId: string, policy: KillPolicy | undefined): void {
    const member = this.#members.get(taskId)?.member;
    if (member?.run === undefined) {
      if (member !== undefined) member.earlyKill ??= { policy };
    } else member.run.kill(policy);
  }

  #over(member: Member, group: Group, isSuccess: boolean): void {
    this.#members.delete(member.task.task_id.value);
    if (!isSuccess && !this.#isShuttingDown) {
      for (const { task } of group) {
        if (this.#members.has(task.task_id.value)) this.#host.killTask(task.task_id.value);
      }
    }
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#members.size > 0) return;
    if (!this.#isShuttingDown) this.#host.shutdown();
    else void Promise.all(this.#reports).then(() => this.#root.signal('SIGKILL'));
  }

  #report(task: TaskInfo, update: TaskUpdate): void {
    const done = this.#host.update(task.task_id.value, update).finally(() => {
      this.#reports.delete(done);
    });
    this.#reports.add(done);
  }

  async #settle(): Promise<TaskContainerEnd> {
    const end = await this.#root.exited;
    this.close();
    this.#isOver = true;
    const containers = [...this.#members.values()].map(({ member }) => member.container);
    await Promise.all(containers.map((container) => container?.signal('SIGKILL')));
    await Promise.all(this.#reports);
    // It was told to end, and did: that its container holds no executor is nobody's business.
    return this.#isShuttingDown ? { status: 0 } : end;
  }
}

function fresh(task: TaskInfo): ResumedTask {
  return { task, status: undefined };
}
