import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskInfo } from '../protocol/index.ts';
import { type AgentSurroundings, prepareAgent } from './testing/agent-process.ts';
import type { FakeMaster } from './testing/fake-master.ts';
import { FRAMEWORK } from './testing/scenario.ts';

let home: AgentSurroundings;
let master: FakeMaster;
let agent: ChildProcess;

beforeEach(async () => {
  home = await prepareAgent('built-in-');
  ({ master } = home);
  await startAgent();
});

afterEach(async () => {
  await stopAgent('SIGKILL');
  // An agent that only cleans up ends whatever is left.
  agent = home.start('--recover=cleanup');
  await once(agent, 'exit');
  await home.close();
});

const startAgent = async (...flags: readonly string[]): Promise<void> => {
  agent = await home.startSubscribed(...flags);
};

async function stopAgent(signal: NodeJS.Signals): Promise<void> {
  const exited = once(agent, 'exit');
  agent.kill(signal);
  await exited;
}

function task(id: string, value: string): TaskInfo {
  return {
    ...{ name: id, task_id: { value: id }, agent_id: { value: 'agent-1' }, command: { value } },
  };
}

async function reaches(taskId: string, state: string) {
  return waitFor(systemClock, `${taskId} ${state}`, 20_000, () =>
    master.updates.find((each) => each.task_id.value === taskId && each.state === state),
  );
}

describe('tasks of the built-in executors as processes', { timeout: 60_000 }, () => {
  it('outlive an agent that is killed, and are told as they ended', async () => {
    const tasks = [task('one', 'sleep 1000'), task('two', 'sleep 1000')];
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'default-1' } };
    const command = [task('ends', 'sleep 0.5; exit 3'), task('goes-on', 'sleep 1000')];
    master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, tasks: command });
    const group = { executor, tasks, task_group: { tasks } };
    master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, ...group });
    for (const id of ['one', 'two', 'ends', 'goes-on']) await reaches(id, 'TASK_RUNNING');
    await stopAgent('SIGKILL');
    await startAgent();
    expect(await reaches('ends', 'TASK_FAILED')).toMatchObject({
      message: 'Command exited with status 3',
    });
    const ended = (): readonly string[] =>
      master.updates
        .filter(({ state }) => /FAILED|KILLED|FINISHED|LOST/.test(state))
        .map(({ task_id }) => task_id.value);
    expect(ended()).toEqual(['ends']);
    master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'one' });
    expect(await reaches('one', 'TASK_KILLED')).toMatchObject({
      message: 'Command terminated with signal Terminated',
    });
    await reaches('two', 'TASK_KILLED');
    master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'goes-on' });
    await reaches('goes-on', 'TASK_KILLED');
  });

  it('end by themselves when the agent stays away for longer than its recovery timeout', async () => {
    await stopAgent('SIGTERM');
    await startAgent('--recovery_timeout=1secs');
    const tasks = [task('grouped', 'touch grouped; sleep 1000')];
    const executor = { type: 'DEFAULT' as const, executor_id: { value: 'default-1' } };
    const group = { executor, tasks, task_group: { tasks } };
    master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, tasks: [task('alone', 'sleep 1000')] });
    master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, ...group });
    const pids = ['alone', 'grouped'].map(async (id) => {
      const { container_status } = await reaches(id, 'TASK_RUNNING');
      return container_status?.executor_pid ?? 0;
    });
    const executors = await Promise.all(pids);
    expect(executors.every((pid) => pid > 0)).toBe(true);
    await stopAgent('SIGKILL');
    await waitFor(systemClock, 'the end of all', 20_000, () =>
      executors.some(isAlive) ? undefined : true,
    );
    await startAgent();
    await reaches('alone', 'TASK_FAILED');
    await reaches('grouped', 'TASK_FAILED');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
