import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ListeningServer, listen, systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskInfo } from '../protocol/index.ts';
import { createFakeMaster, type FakeMaster } from './testing/fake-master.ts';
import { FRAMEWORK } from './testing/scenario.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

let directory: string;
let master: FakeMaster;
let server: ListeningServer;
let port: number;
let agent: ChildProcess;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'built-in-'));
  master = createFakeMaster({ clock: systemClock });
  server = await listen(master.app, { host: '127.0.0.1', port: 0, graceMs: 100 });
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  probe.close();
  await startAgent();
});

afterEach(async () => {
  await stopAgent('SIGKILL');
  // An agent that only cleans up ends whatever is left.
  agent = runAgent('--recover=cleanup');
  await once(agent, 'exit');
  master.cut();
  await server.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
});

function runAgent(...more: readonly string[]): ChildProcess {
  const flags = [
    ...[`--master=${server.url.replace('http://', '')}`, `--work_dir=${directory}`],
    ...[`--port=${port}`, '--resources=cpus:4;mem:1024;disk:1024', ...more],
  ];
  const env = { ...process.env, FACTORY_LOG_LEVEL: 'error' };
  return spawn(process.execPath, [MAIN, ...flags], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

async function startAgent(...more: readonly string[]): Promise<void> {
  const before = master.subscriptions.length;
  agent = runAgent(...more);
  await waitFor(systemClock, 'SUBSCRIBE', 20_000, () =>
    master.subscriptions.length > before ? true : undefined,
  );
}

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
