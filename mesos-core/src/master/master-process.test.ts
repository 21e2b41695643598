import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createUndiciTransport,
  type HttpTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SchedulerClient } from '../client/index.ts';
import {
  type Offer,
  parseResources,
  type SchedulerEvent,
  type TaskInfo,
  type TaskStatus,
} from '../protocol/index.ts';
import { freePort } from '../testing/free-ports.ts';
import { signalProcess, startAgentProcess, startMasterProcess } from '../testing/processes.ts';
import { FRAMEWORK } from './testing/world.ts';

const EXECUTOR = fileURLToPath(new URL('../../fixtures/tiny-executor.ts', import.meta.url));

let directory: string;
let masterPort: number;
let master: ChildProcess;
let agent: ChildProcess;
let transport: HttpTransport;
let client: SchedulerClient;
let events: SchedulerEvent[];
const executorPids = new Set<number>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mesos-master-'));
  masterPort = await freePort();
  master = startMaster();
  agent = startAgentProcess([
    ...[`--master=127.0.0.1:${masterPort}`, `--port=${await freePort()}`],
    ...[`--work_dir=${join(directory, 'agent')}`, '--resources=cpus:4;mem:1024;disk:1024'],
  ]);
  transport = createUndiciTransport();
  events = [];
  client = new SchedulerClient({
    ...{ transport, clock: systemClock, random: systemRandom, logger: silentLogger },
    masters: [`http://127.0.0.1:${masterPort}`],
    frameworkInfo: FRAMEWORK,
    backoffMaxMs: 500,
    onEvent: (event) => {
      events.push(event);
      if (event.type === 'UPDATE') acknowledge(event.update.status);
    },
  });
  client.run().catch(() => undefined);
});

afterEach(async () => {
  await client.stop();
  await transport.close();
  for (const child of [master, agent]) child.kill('SIGKILL');
  for (const pid of executorPids) signalProcess(pid, 'SIGKILL');
  executorPids.clear();
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

function startMaster(): ChildProcess {
  const workDir = join(directory, 'master');
  return startMasterProcess([`--port=${masterPort}`, `--work_dir=${workDir}`]);
}

function acknowledge({ uuid, task_id, agent_id }: TaskStatus): void {
  if (uuid === undefined || agent_id === undefined) return;
  const call = { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } } as const;
  client.call(call).catch(() => undefined);
}

function until<T>(what: string, find: (event: SchedulerEvent) => T | undefined): Promise<T> {
  return waitFor(systemClock, what, 20_000, () => {
    for (const event of events) {
      const found = find(event);
      if (found !== undefined) return found;
    }
    return undefined;
  });
}

async function stateOf(taskId: string, state: string) {
  const status = await until(`${taskId} ${state}`, (event) => {
    if (event.type !== 'UPDATE') return undefined;
    const { status: each } = event.update;
    return each.task_id.value === taskId && each.state === state ? each : undefined;
  });
  const pid = status.container_status?.executor_pid;
  if (pid !== undefined) executorPids.add(pid);
  return status;
}

function firstOffer(): Promise<Offer> {
  return until('an offer', (event) =>
    event.type === 'OFFERS' ? event.offers.offers?.[0] : undefined,
  );
}

function taskOf(offer: Offer, id: string): TaskInfo {
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: parseResources('cpus:0.5;mem:64'),
    executor: {
      type: 'CUSTOM',
      executor_id: { value: 'tiny' },
      resources: parseResources('cpus:0.1;mem:32'),
      command: {
        shell: false,
        value: process.execPath,
        arguments: ['node', '--no-warnings', EXECUTOR],
      },
    },
  };
}

async function launch(...ids: readonly string[]): Promise<Offer> {
  const offer = await firstOffer();
  const task_infos = ids.map((id) => taskOf(offer, id));
  const operations = [{ type: 'LAUNCH' as const, launch: { task_infos } }];
  await client.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } });
  for (const id of ids) await stateOf(id, 'TASK_RUNNING');
  return offer;
}

// Processes start slowly on a machine that is busy with other tests.
describe('a master, an agent and an executor, each a process', { timeout: 60_000 }, () => {
  it('run tasks, pass messages, kill, and notice an executor that was killed', async () => {
    const { agent_id } = await launch('a', 'b', 'c');
    const executor_id = { value: 'tiny' };
    const data = Buffer.from('ping').toString('base64');
    await client.call({ type: 'MESSAGE', message: { agent_id, executor_id, data } });
    const answer = await until('pong', (event) =>
      event.type === 'MESSAGE' ? event.message : undefined,
    );
    expect(Buffer.from(answer.data, 'base64').toString()).toBe('pong');
    await client.call({ type: 'KILL', kill: { task_id: { value: 'a' } } });
    await stateOf('a', 'TASK_KILLED');
    for (const pid of executorPids) signalProcess(pid, 'SIGKILL');
    expect(await stateOf('b', 'TASK_FAILED')).toMatchObject({
      reason: 'REASON_EXECUTOR_TERMINATED',
      source: 'SOURCE_AGENT',
    });
    await stateOf('c', 'TASK_FAILED');
    const failure = events.findIndex(({ type }) => type === 'FAILURE');
    expect(events[failure]).toEqual({
      type: 'FAILURE',
      failure: { agent_id, executor_id, status: 9 },
    });
    const isEnd = ({ type }: SchedulerEvent, index: number): boolean =>
      type === 'UPDATE' && index > failure;
    expect(events.filter(isEnd)).toHaveLength(2);
  });

  it('go on when the master is killed and started again', async () => {
    const { agent_id } = await launch('a');
    const { frameworkId } = client;
    master.kill('SIGKILL');
    await new Promise((resolve) => master.once('exit', resolve));
    events.length = 0;
    master = startMaster();
    const again = await firstOffer();
    expect(again.agent_id).toEqual(agent_id);
    expect(client.frameworkId).toBe(frameworkId);
    expect(again.executor_ids).toEqual([{ value: 'tiny' }]);
    await client.call({ type: 'RECONCILE', reconcile: { tasks: [] } });
    // The update may come again too: its acknowledgement may have died with the master.
    await until('the answer', (event) => {
      if (event.type !== 'UPDATE') return undefined;
      const { reason, state } = event.update.status;
      return reason === 'REASON_RECONCILIATION' && state === 'TASK_RUNNING' ? true : undefined;
    });
    await client.call({ type: 'KILL', kill: { task_id: { value: 'a' } } });
    await stateOf('a', 'TASK_KILLED');
  });
});
