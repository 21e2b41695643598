import { join } from 'node:path';
import { type ExecutorInfo, formatDurationMs, type Resources } from '../protocol/index.ts';
import { runChange, runRemoval } from './checkpoint/records.ts';
import { type Container, type ContainerEnd, LaunchError } from './containerizer/containerizer.ts';
import { type AgentContext, agentIdOf } from './context.ts';
import { shutdownGraceMs } from './executor-environment.ts';
import { fetchUris, launchRequest } from './launch-request.ts';
import {
  type EndReason,
  type ExecutorKind,
  type ExecutorRun,
  type Framework,
  liveTasks,
  pushBounded,
  transition,
} from './state.ts';
import { dropTasks, endTasks, forgetIfDone } from './task-ends.ts';
import { newUuid } from './uuid.ts';
import { allRuns } from './views.ts';

/** Mesos' exit status of an executor that could not be launched. */
export const NEVER_BEGAN = -1;

type StartBuiltIn = (
  framework: Framework,
  run: ExecutorRun,
  container: Container,
) => Promise<number>;

/** The processes of the executors: started, found again, ended, and noticed when they are gone. */
export class Executors {
  readonly #context: AgentContext;
  readonly #startBuiltIn: StartBuiltIn;
  #waitingForEnd: (() => void)[] = [];

  /** @param startBuiltIn speaks for a run whose executor is built in, from its start on. */
  constructor(context: AgentContext, startBuiltIn: StartBuiltIn) {
    this.#context = context;
    this.#startBuiltIn = startBuiltIn;
  }

  /** A new run of an executor. Commit it before {@link launch}. */
  create(framework: Framework, info: ExecutorInfo, kind: ExecutorKind): ExecutorRun {
    const { settings, random } = this.#context;
    const executorId = info.executor_id.value;
    const containerId = newUuid(random);
    const run: ExecutorRun = {
      frameworkId: framework.id,
      executorId,
      containerId,
      kind,
      info: { ...info, framework_id: { value: framework.id } },
      directory: join(
        ...[settings.workDir, 'slaves', agentIdOf(this.#context), 'frameworks', framework.id],
        ...['executors', executorId, 'runs', containerId],
      ),
      user: settings.switchUser
        ? info.command?.user || framework.info.user || undefined
        : undefined,
      state: 'registering',
      identity: undefined,
      hasSubscribed: false,
      container: undefined,
      connection: undefined,
      timer: undefined,
      queue: [],
      endReason: undefined,
    };
    framework.executors.set(executorId, run);
    return run;
  }

  /** Starts the process of a run; it begins when its pid and all commits so far are durable. */
  launch(framework: Framework, run: ExecutorRun): void {
    this.#context.spawn(this.#launch(framework, run));
  }

  /**
   * Takes up a run that an earlier agent left. One whose process never began is launched again; one
   * that is alive has its time to subscribe; one that is gone ends its tasks.
   */
  async recover(framework: Framework, run: ExecutorRun): Promise<void> {
    const { settings, containerizer } = this.#context;
    if (run.identity === undefined) {
      this.launch(framework, run);
      return;
    }
    this.#watch(framework, run, await containerizer.recover(run.identity));
    if (run.kind !== 'custom') return;
    if (run.hasSubscribed) {
      const timeoutMs = settings.executorReregistrationTimeoutMs;
      this.#endUnlessSubscribed(run, timeoutMs, {
        reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
        message: `Executor did not reregister within ${formatDurationMs(timeoutMs)}`,
      });
    } else {
      this.#expectFirstSubscription(run);
    }
  }

  /** Asks the executor to end itself and its tasks; kills it when it has not after its grace. */
  shutdown(run: ExecutorRun): void {
    if (run.state === 'terminating' || !transition(run, 'shutdown')) return;
    this.#context.logger.info(idsOf(run), 'shutting the executor down');
    run.connection?.send([{ type: 'SHUTDOWN' }]);
    this.#startTimer(run, shutdownGraceMs(this.#context, run), () => this.#kill(run));
  }

  /** Ends all executors of a framework that is gone; with the last one it is forgotten. */
  shutdownFramework(framework: Framework): void {
    framework.isShuttingDown = true;
    for (const run of framework.executors.values()) this.shutdown(run);
    if (framework.executors.size > 0) return;
    const changes = dropTasks(this.#context, framework);
    const removals = forgetIfDone(this.#context, framework);
    this.#context.spawn(this.#context.commit([...changes, ...removals]));
  }

  /** Resolves when no executor is left. */
  async allGone(): Promise<void> {
    while (allRuns(this.#context.state).length > 0) {
      await new Promise<void>((resolve) => this.#waitingForEnd.push(resolve));
    }
  }

  async #launch(framework: Framework, run: ExecutorRun): Promise<void> {
    const { commit, logger, containerizer, metrics } = this.#context;
    try {
      const request = launchRequest(this.#context, framework, run);
      await fetchUris(this.#context, request, run.info.command?.uris ?? []);
      const launched = await containerizer.launch(request, async (identity) => {
        run.identity = identity;
        await this.#context.linkVolumes(run, resourcesOf(framework, run));
        if (isUnwanted(framework, run)) throw new LaunchError('it was killed before it began');
        // Commits keep their order: the run's tasks, committed before, are durable then too.
        await commit([runChange(run)]);
      });
      this.#watch(framework, run, launched);
      if (run.state === 'registering' && run.kind === 'custom') this.#expectFirstSubscription(run);
      // Told to end while it was being started: it has nothing to clean up yet.
      else if (run.state === 'terminating') this.#kill(run);
    } catch (error) {
      metrics.containerLaunchErrors += 1;
      logger.error({ ...idsOf(run), err: error }, 'the executor could not be launched');
      const why = error instanceof Error ? error.message : String(error);
      const message = `Failed to launch container: ${why}`;
      run.endReason = { reason: 'REASON_CONTAINER_LAUNCH_FAILED', message };
      await this.#gone(framework, run, undefined);
    }
  }

  #watch(framework: Framework, run: ExecutorRun, container: Container): void {
    run.container = container;
    const isBuiltIn = run.kind !== 'custom';
    const ended = isBuiltIn
      ? this.#startBuiltIn(framework, run, container)
      : container.exited.then((end) => {
          run.endReason ??= endReasonOf(end);
          return end.status;
        });
    this.#context.spawn(ended.then((status) => this.#gone(framework, run, status)));
  }

  #expectFirstSubscription(run: ExecutorRun): void {
    const timeoutMs = this.#context.settings.executorRegistrationTimeoutMs;
    this.#endUnlessSubscribed(run, timeoutMs, {
      reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT',
      message: `Executor did not register within ${formatDurationMs(timeoutMs)}`,
    });
  }

  #endUnlessSubscribed(run: ExecutorRun, timeoutMs: number, endReason: EndReason): void {
    this.#startTimer(run, timeoutMs, () => {
      if (run.state !== 'registering') return;
      this.#context.logger.warn(idsOf(run), endReason.message);
      run.endReason = endReason;
      transition(run, 'shutdown');
      this.#kill(run);
    });
  }

  #startTimer(run: ExecutorRun, delayMs: number, callback: () => void): void {
    run.timer?.cancel();
    run.timer = this.#context.clock.after(delayMs, callback);
  }

  #kill(run: ExecutorRun): void {
    this.#context.logger.warn(idsOf(run), 'killing the executor');
    if (run.container !== undefined) this.#context.spawn(run.container.kill());
  }

  /** The process is gone, or (without status) never began. */
  async #gone(framework: Framework, run: ExecutorRun, status: number | undefined): Promise<void> {
    if (!transition(run, 'exited')) return;
    const { logger, metrics } = this.#context;
    logger.info({ ...idsOf(run), status }, 'executor is gone');
    metrics.executorsTerminated += 1;
    run.timer?.cancel();
    run.connection?.close();
    run.connection = undefined;
    // From here on a launch for the same executor id starts a new run.
    framework.executors.delete(run.executorId);
    const { info, containerId, directory } = run;
    this.#context.sandboxes.retire(directory);
    const max = this.#context.settings.completedExecutorsPerFrameworkMax;
    pushBounded(framework.completedExecutors, { info, containerId, directory }, max);
    await this.#settleEnd(framework, run, status);
    await run.container?.forget();
    for (const wake of this.#waitingForEnd.splice(0)) wake();
  }

  async #settleEnd(
    framework: Framework,
    run: ExecutorRun,
    status: number | undefined,
  ): Promise<void> {
    if (framework.isShuttingDown) {
      const dropped = framework.executors.size === 0 ? dropTasks(this.#context, framework) : [];
      const removals = forgetIfDone(this.#context, framework);
      await this.#context.commit([runRemoval(run), ...dropped, ...removals]);
      return;
    }
    // As from Mesos: the framework hears of the executor's end before that of its tasks.
    const reported = this.#reportExit(run, status ?? NEVER_BEGAN);
    const end = run.endReason ?? {
      reason: 'REASON_EXECUTOR_TERMINATED' as const,
      message: 'Executor terminated',
    };
    await endTasks(
      this.#context,
      liveTasks(framework, run),
      { state: 'TASK_FAILED', ...end },
      { changes: [runRemoval(run), ...forgetIfDone(this.#context, framework)], after: reported },
    );
  }

  #reportExit(run: ExecutorRun, status: number): Promise<boolean> {
    // No master knows the executor of a command task.
    if (run.kind === 'command') return Promise.resolve(true);
    return this.#context.callMaster({
      type: 'EXECUTOR_EXITED',
      agent_id: agentIdOf(this.#context),
      framework_id: run.frameworkId,
      executor_id: run.executorId,
      container_id: run.containerId,
      status,
    });
  }
}

/** What is used in the run's own sandbox; tasks of the default executor have sandboxes of theirs. */
function resourcesOf(framework: Framework, run: ExecutorRun): Resources {
  const tasks = run.kind === 'default' ? [] : liveTasks(framework, run).map(({ info }) => info);
  return [run.info, ...tasks].flatMap(({ resources }) => resources ?? []);
}

/** What log entries about a run carry. */
export function idsOf(run: ExecutorRun): Record<string, string> {
  const { frameworkId, executorId, containerId } = run;
  return { frameworkId, executorId, containerId };
}

/** Why the containerizer ended a container, if it was the containerizer. */
export function endReasonOf(end: Omit<ContainerEnd, 'status'>): EndReason | undefined {
  const { reason, message = 'Executor terminated', limitation } = end;
  return reason === undefined ? undefined : { reason, message, limitation };
}

/** A command task that was killed while its files were fetched must not begin. */
function isUnwanted(framework: Framework, run: ExecutorRun): boolean {
  return run.kind === 'command' && liveTasks(framework, run).length === 0;
}
