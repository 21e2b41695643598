import type { ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signalProcess } from '../testing/processes.ts';
import { type AgentSurroundings, prepareAgent } from './testing/agent-process.ts';
import type { FakeMaster } from './testing/fake-master.ts';
import { runTasks, tinyExecutor } from './testing/scenario.ts';

let home: AgentSurroundings;
let master: FakeMaster;
let agent: ChildProcess;
const executorPids = new Set<number>();

beforeEach(async () => {
  home = await prepareAgent('mesos-agent-');
  ({ master } = home);
  agent = startAgent();
});

afterEach(async () => {
  agent.kill('SIGKILL');
  for (const pid of executorPids) signalProcess(pid, 'SIGKILL');
  executorPids.clear();
  await home.close();
});

const startAgent = (): ChildProcess =>
  home.start(
    ...['--executor_shutdown_grace_period=300ms', '--executor_reregistration_timeout=5secs'],
    '--launcher=posix',
  );

async function stateOf(taskId: string, state: string): Promise<number> {
  const status = await waitFor(systemClock, `${taskId} ${state}`, 20_000, () =>
    master.updates.find((each) => each.task_id.value === taskId && each.state === state),
  );
  const pid = status.container_status?.executor_pid ?? 0;
  if (pid > 0) executorPids.add(pid);
  return pid;
}

function subscribedTimes(count: number): Promise<true> {
  return waitFor(systemClock, 'SUBSCRIBE', 20_000, () =>
    master.subscriptions.length >= count ? true : undefined,
  );
}

// Processes start slowly on a machine that is busy with other tests.
describe('an agent process', { timeout: 30_000 }, () => {
  it('launches an executor in a sandbox, with the environment that Mesos gives', async () => {
    await subscribedTimes(1);
    master.send(runTasks(tinyExecutor(), 'a', 'b'));
    const pid = await stateOf('a', 'TASK_RUNNING');
    await stateOf('b', 'TASK_RUNNING');
    const status = master.updates.find((update) => update.task_id.value === 'a');
    expect(status).toMatchObject({
      source: 'SOURCE_EXECUTOR',
      agent_id: { value: 'agent-1' },
      executor_id: { value: 'executor-1' },
      container_status: {
        network_infos: [{ ip_addresses: [{ protocol: 'IPv4', ip_address: '127.0.0.1' }] }],
      },
    });
    const runs = join(
      ...[
        home.directory,
        'slaves',
        'agent-1',
        'frameworks',
        'framework-1',
        'executors',
        'executor-1',
      ],
      'runs',
    );
    const containerId = status?.container_status?.container_id?.value ?? '';
    expect(await readdir(join(runs, containerId))).toEqual(['stderr', 'stdout']);
    expect(await readFile(join(runs, 'latest', 'stdout'), 'utf8')).toContain(
      `tiny executor ${pid} in ${join(runs, containerId)}`,
    );
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    const variables = Object.fromEntries(environment.split('\0').map((line) => line.split('=', 2)));
    expect(variables).toMatchObject({
      LIBPROCESS_IP: '127.0.0.1',
      LIBPROCESS_PORT: '0',
      MESOS_AGENT_ENDPOINT: `127.0.0.1:${home.port}`,
      MESOS_CHECKPOINT: '1',
      MESOS_DIRECTORY: join(runs, containerId),
      MESOS_EXECUTOR_ID: 'executor-1',
      MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: '300ms',
      MESOS_FRAMEWORK_ID: 'framework-1',
      MESOS_HTTP_COMMAND_EXECUTOR: '0',
      MESOS_RECOVERY_TIMEOUT: '15mins',
      MESOS_SANDBOX: join(runs, containerId),
      MESOS_SLAVE_ID: 'agent-1',
      MESOS_SLAVE_PID: `slave(1)@127.0.0.1:${home.port}`,
      MESOS_SUBSCRIPTION_BACKOFF_MAX: '2secs',
      PWD: join(runs, containerId),
    });
  });

  it('killed by SIGKILL and started again, finds its executor and its updates flow', async () => {
    await subscribedTimes(1);
    master.send(runTasks(tinyExecutor(), 'a'));
    const pid = await stateOf('a', 'TASK_RUNNING');
    agent.kill('SIGKILL');
    await new Promise((resolve) => agent.once('exit', resolve));
    agent = startAgent();
    await subscribedTimes(2);
    const again = master.subscriptions.at(-1);
    expect(again?.agent_info.id).toEqual({ value: 'agent-1' });
    expect(again?.tasks).toMatchObject([{ task_id: { value: 'a' }, state: 'TASK_RUNNING' }]);
    expect(again?.executors).toMatchObject([{ executor_id: { value: 'executor-1' } }]);
    await waitFor(systemClock, 'pong', 20_000, () => {
      const data = Buffer.from('ping').toString('base64');
      const ids = { framework_id: 'framework-1', executor_id: 'executor-1' };
      master.send({ type: 'MESSAGE', ...ids, data });
      return master.calls.some((call) => call.type === 'MESSAGE') ? true : undefined;
    });
    master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'a' });
    expect(await stateOf('a', 'TASK_KILLED')).toBe(pid);
  });

  it('notices at once that an executor was killed by SIGKILL', async () => {
    await subscribedTimes(1);
    master.send(runTasks(tinyExecutor(), 'a'));
    const pid = await stateOf('a', 'TASK_RUNNING');
    signalProcess(pid, 'SIGKILL');
    const killedAtMs = systemClock.monotonicMs();
    await stateOf('a', 'TASK_FAILED');
    expect(systemClock.monotonicMs() - killedAtMs).toBeLessThan(2000);
    expect(master.updates.at(-1)).toMatchObject({
      state: 'TASK_FAILED',
      message: 'Executor terminated',
      source: 'SOURCE_AGENT',
      reason: 'REASON_EXECUTOR_TERMINATED',
      agent_id: { value: 'agent-1' },
      executor_id: { value: 'executor-1' },
    });
    expect(master.calls).toContainEqual(
      expect.objectContaining({ type: 'EXECUTOR_EXITED', status: 9 }),
    );
  });

  it('on SIGUSR1 unregisters, ends its executors, and exits', async () => {
    await subscribedTimes(1);
    master.send(runTasks(tinyExecutor(), 'a'));
    const pid = await stateOf('a', 'TASK_RUNNING');
    agent.kill('SIGUSR1');
    expect(await new Promise((resolve) => agent.once('exit', resolve))).toBe(0);
    expect(master.calls).toContainEqual({ type: 'UNREGISTER', agent_id: 'agent-1' });
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(master.subscriptions).toHaveLength(1);
  });

  it('notices that an executor of its earlier life was killed', async () => {
    await subscribedTimes(1);
    master.send(runTasks(tinyExecutor(), 'a'));
    const pid = await stateOf('a', 'TASK_RUNNING');
    agent.kill('SIGKILL');
    await new Promise((resolve) => agent.once('exit', resolve));
    agent = startAgent();
    await subscribedTimes(2);
    signalProcess(pid, 'SIGKILL');
    await stateOf('a', 'TASK_FAILED');
    expect(master.updates.at(-1)).toMatchObject({ reason: 'REASON_EXECUTOR_TERMINATED' });
    // The same executor id can be used again: that is a new run.
    master.send(runTasks(tinyExecutor(), 'b'));
    expect(await stateOf('b', 'TASK_RUNNING')).not.toBe(pid);
  });
});
