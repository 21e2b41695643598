import type { Clock, Limiter, Timer } from '@factory/runtime';
import type { CheckStatusInfo, KillPolicy, TaskInfo, TaskStatus } from '../../protocol/index.ts';
import {
  checkStatusOf,
  emptyCheckStatus,
  isHealthy,
  type ProbeResult,
  probeOfCheck,
  probeOfHealthCheck,
  scheduleOf,
} from '../checks/check-definition.ts';
import { type CheckLoop, type Prober, startCheckLoop } from '../checks/check-loop.ts';
import { type HealthState, healthAfter, healthPolicyOf, UNKNOWN_HEALTH } from '../checks/health.ts';
import {
  type KillCause,
  lastUpdate,
  type TaskContainerEnd,
  type TaskUpdate,
} from './task-update.ts';

/** Mesos' own grace, "set to 3s for backwards compatibility", where nobody names another. */
const KILL_GRACE_MS = 3000;

/** For what takes too long, as Mesos: the task had all the time that it was given. */
const AT_ONCE: KillPolicy = { grace_period: { nanoseconds: 0 } };

/** The container of a task, as its executor sees it. */
export interface TaskContainer {
  /** Never rejects. */
  readonly exited: Promise<TaskContainerEnd>;
  /** To all processes of the container; harmless when they are gone. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** What a task needs of the world. */
export interface TaskRunOptions {
  readonly clock: Clock;
  readonly task: TaskInfo;
  readonly container: TaskContainer;
  /** The newest update of an earlier life of the executor, when it goes on with a task. */
  readonly resumed?: ResumedRun | undefined;
  /** Whether the framework wants to hear TASK_KILLING. */
  readonly tellsKilling: boolean;
  readonly prober: Prober;
  readonly checkLimiter: Limiter;
  readonly report: (update: TaskUpdate) => void;
  /** Makes it durable why the task is ended, so that a later life says the same. */
  readonly recordKill: (cause: KillCause) => Promise<void>;
}

/** What an earlier life of the executor knew of a task. */
export interface ResumedRun {
  readonly status: TaskStatus;
  readonly runningSinceMs: number;
  readonly killCause?: KillCause | undefined;
}

/**
 * A task whose container runs: tells its health and checks, ends it when that is wished, when it is
 * unhealthy or takes too long, and tells how it ended. `ended` resolves with the container's end
 * when nothing more will be told; a reason of the agent's own for the end is left to the caller.
 */
export class TaskRun {
  readonly ended: Promise<TaskContainerEnd>;
  readonly #options: TaskRunOptions;
  readonly #sinceMs: number;
  readonly #loops: CheckLoop[] = [];
  #health: HealthState = UNKNOWN_HEALTH;
  #healthy: boolean | undefined;
  #checkStatus: CheckStatusInfo | undefined;
  #killing: { readonly cause: KillCause; readonly sinceMs: number } | undefined;
  #killTimer: Timer | undefined;
  #completionTimer: Timer | undefined;
  #isOver = false;

  constructor(options: TaskRunOptions) {
    this.#options = options;
    const { clock, task, resumed } = options;
    this.#sinceMs = resumed?.runningSinceMs ?? clock.nowMs();
    this.#healthy = resumed?.status.healthy;
    this.#checkStatus =
      resumed?.status.check_status ?? (task.check && emptyCheckStatus(task.check));
    if (resumed === undefined) this.#tellRunning(undefined);
    this.#startChecks();
    this.#startCompletionTimer();
    this.ended = options.container.exited.then((end) => this.#end(end));
  }

  /**
   * SIGTERM now, SIGKILL after the grace period: of `policy`, else of the task, else three seconds.
   * Another wish while it ends only changes the grace.
   */
  kill(policy: KillPolicy | undefined): void {
    this.#kill(policy, this.#options.resumed?.killCause ?? 'requested');
  }

  #kill(policy: KillPolicy | undefined, cause: KillCause): void {
    const { clock, task, container, tellsKilling, report } = this.#options;
    if (this.#isOver) return;
    const own = cause === 'overdue' ? AT_ONCE : task.kill_policy;
    const nanoseconds = (policy?.grace_period ?? own?.grace_period)?.nanoseconds;
    const graceMs = nanoseconds === undefined ? KILL_GRACE_MS : nanoseconds / 1e6;
    if (this.#killing === undefined) {
      this.#killing = { cause, sinceMs: clock.monotonicMs() };
      this.#stopChecks();
      this.#completionTimer?.cancel();
      if (tellsKilling) report({ state: 'TASK_KILLING' });
      if (graceMs > 0) void container.signal('SIGTERM');
    } else if (policy?.grace_period === undefined) return;
    const passedMs = clock.monotonicMs() - this.#killing.sinceMs;
    this.#killTimer?.cancel();
    this.#killTimer = clock.after(Math.max(0, graceMs - passedMs), () => {
      void container.signal('SIGKILL');
    });
  }

  /** Stops watching; the container goes on. */
  close(): void {
    this.#isOver = true;
    this.#stopChecks();
    this.#killTimer?.cancel();
    this.#completionTimer?.cancel();
  }

  #end(end: TaskContainerEnd): TaskContainerEnd {
    if (this.#isOver) return end;
    this.close();
    if (end.reason === undefined) this.#options.report(lastUpdate(end, this.#killing?.cause));
    return end;
  }

  #tellRunning(reason: TaskUpdate['reason']): void {
    this.#options.report({
      state: 'TASK_RUNNING',
      ...(reason === undefined ? {} : { reason }),
      ...(this.#healthy === undefined ? {} : { healthy: this.#healthy }),
      ...(this.#checkStatus === undefined ? {} : { check_status: this.#checkStatus }),
    });
  }

  #startChecks(): void {
    const { check, health_check: healthCheck } = this.#options.task;
    const checkProbe = check && probeOfCheck(check);
    if (check !== undefined && checkProbe !== undefined) {
      this.#startLoop(checkProbe, check, (result) => this.#checked(checkStatusOf(check, result)));
    }
    const healthProbe = healthCheck && probeOfHealthCheck(healthCheck);
    if (healthCheck !== undefined && healthProbe !== undefined) {
      const policy = healthPolicyOf(healthCheck);
      this.#startLoop(healthProbe, healthCheck, (result) => {
        const ageMs = this.#options.clock.nowMs() - this.#sinceMs;
        const after = healthAfter(this.#health, policy, isHealthy(result), ageMs);
        this.#health = after.state;
        if (after.report === undefined) return;
        this.#healthy = after.report.healthy;
        this.#tellRunning('REASON_TASK_HEALTH_CHECK_STATUS_UPDATED');
        if (after.report.isFatal) this.#killFor('unhealthy');
      });
    }
  }

  /** The container may die of it while the agent is dead: why is written down before. */
  #killFor(cause: KillCause): void {
    this.#stopChecks();
    void this.#options.recordKill(cause).then(() => this.#kill(undefined, cause));
  }

  #startLoop(
    probe: Parameters<Prober>[0],
    check: Parameters<typeof scheduleOf>[0],
    onResult: (result: ProbeResult) => void,
  ): void {
    const { clock, prober, checkLimiter: limiter } = this.#options;
    const schedule = scheduleOf(check);
    this.#loops.push(startCheckLoop({ clock, probe, schedule, prober, limiter, onResult }));
  }

  /** As Mesos: only what differs from the result before is told. */
  #checked(status: CheckStatusInfo): void {
    if (JSON.stringify(status) === JSON.stringify(this.#checkStatus)) return;
    this.#checkStatus = status;
    this.#tellRunning('REASON_TASK_CHECK_STATUS_UPDATED');
  }

  #stopChecks(): void {
    for (const loop of this.#loops.splice(0)) loop.stop();
  }

  #startCompletionTimer(): void {
    const { clock, task } = this.#options;
    const limitMs = (task.max_completion_time?.nanoseconds ?? 0) / 1e6;
    if (limitMs <= 0) return;
    const leftMs = limitMs - (clock.nowMs() - this.#sinceMs);
    this.#completionTimer = clock.after(Math.max(0, leftMs), () => {
      this.#killFor('overdue');
    });
  }
}
