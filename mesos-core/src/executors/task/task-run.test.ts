import { createLimiter } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import type { TaskInfo } from '../../protocol/index.ts';
import type { ProbeResult } from '../checks/check-definition.ts';
import { TaskRun } from './task-run.ts';
import type { KillCause, TaskContainerEnd, TaskUpdate } from './task-update.ts';

const PLAIN: TaskInfo = {
  name: 'a',
  task_id: { value: 'a' },
  agent_id: { value: 'agent-1' },
  command: { value: 'sleep 1000' },
};
const TCP_CHECK = { delay_seconds: 1, interval_seconds: 1, tcp: { port: 80 } };
const SECOND = { nanoseconds: 1e9 };

/** A task in a container that dies of SIGKILL, and of SIGTERM too unless it is stubborn. */
function start(
  task: Partial<TaskInfo> = {},
  options: {
    readonly isStubborn?: boolean;
    readonly tellsKilling?: boolean;
    readonly looks?: (look: number) => ProbeResult;
    readonly resumed?: { readonly healthy?: boolean; readonly agoMs: number };
  } = {},
) {
  const clock = new VirtualClock();
  const { promise: exited, resolve: exit } = Promise.withResolvers<TaskContainerEnd>();
  const updates: TaskUpdate[] = [];
  const recorded: KillCause[] = [];
  const signals: { readonly signal: string; readonly atMs: number }[] = [];
  const startMs = clock.monotonicMs();
  let looks = 0;
  const { resumed } = options;
  const run = new TaskRun({
    clock,
    task: { ...PLAIN, ...task },
    container: {
      exited,
      async signal(signal) {
        signals.push({ signal, atMs: clock.monotonicMs() - startMs });
        if (signal === 'SIGKILL') exit({ status: 9 });
        else if (!options.isStubborn) exit({ status: 15 });
      },
    },
    resumed: resumed && {
      runningSinceMs: clock.nowMs() - resumed.agoMs,
      status: { task_id: PLAIN.task_id, state: 'TASK_RUNNING', healthy: resumed.healthy },
    },
    tellsKilling: options.tellsKilling ?? false,
    prober: async () => {
      looks += 1;
      return options.looks?.(looks) ?? { kind: 'connected', succeeded: true };
    },
    checkLimiter: createLimiter(4),
    report: (update) => updates.push(update),
    recordKill: async (cause) => {
      recorded.push(cause);
    },
  });
  return { clock, run, exit, updates, signals, recorded };
}

describe('a task that runs', () => {
  it('tells how its command ended', async () => {
    const { run, exit, updates } = start();
    exit({ status: 3 << 8 });
    await run.ended;
    expect(updates).toEqual([
      { state: 'TASK_RUNNING' },
      { state: 'TASK_FAILED', message: 'Command exited with status 3' },
    ]);
  });

  it('leaves an end that the agent brought about to the agent', async () => {
    const { run, exit, updates } = start();
    exit({ status: 9, reason: 'REASON_CONTAINER_LIMITATION_MEMORY' });
    expect((await run.ended).reason).toBe('REASON_CONTAINER_LIMITATION_MEMORY');
    expect(updates).toEqual([{ state: 'TASK_RUNNING' }]);
  });

  it('is asked to end by SIGTERM, and told so to those who want to know', async () => {
    const { run, updates, signals } = start({}, { tellsKilling: true });
    run.kill(undefined);
    await run.ended;
    expect(signals).toEqual([{ signal: 'SIGTERM', atMs: 0 }]);
    expect(updates.slice(1)).toEqual([
      { state: 'TASK_KILLING' },
      { state: 'TASK_KILLED', message: 'Command terminated with signal Terminated' },
    ]);
  });

  it.each([
    [undefined, undefined, 3000],
    [5, undefined, 5000],
    [5, 1, 1000],
  ])('with a grace of %s s, killed with %s s, gets SIGKILL after %i ms', async (own, wish, ms) => {
    const grace = (seconds: number | undefined) =>
      seconds === undefined ? undefined : { grace_period: { nanoseconds: seconds * 1e9 } };
    const { clock, run, updates, signals } = start(
      { kill_policy: grace(own) },
      { isStubborn: true },
    );
    run.kill(grace(wish));
    await clock.run(ms + 10);
    expect(signals.map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL']);
    expect(signals[1]?.atMs).toBe(ms);
    expect(updates.at(-1)).toMatchObject({ message: 'Command terminated with signal Killed' });
  });

  it('gets another grace when it is killed again with one, counted from the first kill', async () => {
    const { clock, run, signals } = start(
      { kill_policy: { grace_period: { nanoseconds: 60e9 } } },
      { isStubborn: true, tellsKilling: true },
    );
    run.kill(undefined);
    await clock.run(1000);
    run.kill(undefined);
    run.kill({ grace_period: { nanoseconds: 2e9 } });
    await clock.run(2000);
    expect(signals.map(({ atMs }) => atMs)).toEqual([0, 2000]);
  });

  it('that takes longer than it may is killed at once, and has failed', async () => {
    const { clock, updates, signals } = start({ max_completion_time: SECOND });
    await clock.run(1100);
    expect(signals).toEqual([{ signal: 'SIGKILL', atMs: 1000 }]);
    expect(updates.at(-1)).toMatchObject({
      state: 'TASK_FAILED',
      reason: 'REASON_MAX_COMPLETION_TIME_REACHED',
    });
  });

  it('goes on under a new agent without being told again, and with what is left of its time', async () => {
    const { clock, updates } = start(
      { max_completion_time: SECOND },
      { resumed: { agoMs: 700, healthy: true } },
    );
    await clock.run(250);
    expect(updates).toEqual([]);
    await clock.run(100);
    expect(updates).toHaveLength(1);
  });
});

describe('a task with checks', () => {
  it('tells its health when it changes, and is killed after failures in a row', async () => {
    const { clock, updates, recorded } = start(
      {
        health_check: {
          ...TCP_CHECK,
          ...{ type: 'TCP', grace_period_seconds: 0, consecutive_failures: 2 },
        },
      },
      { looks: (look) => ({ kind: 'connected', succeeded: look <= 2 }) },
    );
    await clock.run(10_000);
    expect(recorded).toEqual(['unhealthy']);
    const reason = 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED';
    expect(updates).toEqual([
      { state: 'TASK_RUNNING' },
      { state: 'TASK_RUNNING', reason, healthy: true },
      { state: 'TASK_RUNNING', reason, healthy: false },
      { state: 'TASK_RUNNING', reason, healthy: false },
      {
        ...{ state: 'TASK_KILLED', reason, healthy: false },
        message: 'Command terminated with signal Terminated',
      },
    ]);
  });

  it('tells results of a check that differ from the one before, and keeps its health', async () => {
    const codes = [0, 0, 1, 1];
    const { clock, run, updates } = start(
      {
        check: {
          ...{ type: 'COMMAND', command: { command: { value: 'true' } } },
          ...{ delay_seconds: 1, interval_seconds: 1 },
        },
      },
      { looks: (look) => ({ kind: 'exited', exitCode: codes[look - 1] ?? 1 }) },
    );
    await clock.run(5000);
    run.close();
    const status = (exit_code?: number) => ({
      ...{ type: 'COMMAND', command: exit_code === undefined ? {} : { exit_code } },
    });
    expect(updates).toEqual([
      { state: 'TASK_RUNNING', check_status: status() },
      ...[0, 1].map((code) => ({
        state: 'TASK_RUNNING',
        reason: 'REASON_TASK_CHECK_STATUS_UPDATED',
        check_status: status(code),
      })),
    ]);
  });

  it('is not looked at any more while it is being killed', async () => {
    const { clock, run, updates } = start(
      { health_check: { ...TCP_CHECK, type: 'TCP' } },
      { isStubborn: true },
    );
    run.kill(undefined);
    await clock.run(2500);
    expect(updates).toEqual([{ state: 'TASK_RUNNING' }]);
    run.close();
  });
});
