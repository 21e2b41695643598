import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ListeningServer, listen, systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OfferOperation, Resource } from '../../protocol/index.ts';
import { createFakeMaster, type FakeMaster } from '../testing/fake-master.ts';
import { FRAMEWORK } from '../testing/scenario.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const DISK: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 100 },
  reservations: [{ type: 'DYNAMIC', role: 'eng' }],
};
const VOLUME: Resource = {
  ...DISK,
  disk: { persistence: { id: 'v1' }, volume: { container_path: 'data', mode: 'RW' } },
};

let directory: string;
let master: FakeMaster;
let server: ListeningServer;
let agent: ChildProcess;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mesos-volumes-'));
  master = createFakeMaster({ clock: systemClock });
  server = await listen(master.app, { host: '127.0.0.1', port: 0, graceMs: 100 });
  agent = await startAgent();
});

afterEach(async () => {
  agent.kill('SIGKILL');
  master.cut();
  await server.close();
  // A container's supervisor may write how it ended at this moment.
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

async function startAgent(): Promise<ChildProcess> {
  const subscriptions = master.subscriptions.length;
  const flags = [
    `--master=${server.url.replace('http://', '')}`,
    `--work_dir=${directory}`,
    `--port=${await freePort()}`,
    '--resources=cpus:4;mem:1024;disk:1024',
  ];
  const env = { ...process.env, FACTORY_LOG_LEVEL: 'warn' };
  const stdio = ['ignore', 'inherit', 'inherit'] as const;
  const child = spawn(process.execPath, [MAIN, ...flags], { env, stdio: [...stdio] });
  await waitFor(systemClock, 'SUBSCRIBE', 20_000, () =>
    master.subscriptions.length > subscriptions ? true : undefined,
  );
  return child;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function apply(name: string, info: OfferOperation): Promise<void> {
  const status = { state: 'OPERATION_PENDING' as const };
  const uuid = { value: Buffer.from(name.padEnd(16)).toString('base64') };
  master.send({ type: 'APPLY_OPERATION', operation: { info, latest_status: status, uuid } });
  await waitFor(systemClock, name, 20_000, () =>
    master.calls.find(
      (call) => call.type === 'UPDATE_OPERATION' && call.operation_uuid === uuid.value,
    ),
  );
}

/** Runs a command with the volume, to its end. @returns the last state. */
async function run(id: string, value: string): Promise<string | undefined> {
  master.send({
    type: 'RUN_TASKS',
    framework: FRAMEWORK,
    tasks: [
      {
        ...{ name: id, task_id: { value: id }, agent_id: { value: 'agent-1' } },
        ...{ command: { value }, resources: [VOLUME] },
      },
    ],
  });
  const status = await waitFor(systemClock, `the end of ${id}`, 20_000, () =>
    master.updates.find(
      ({ task_id, state = '' }) =>
        task_id.value === id && /FINISHED|FAILED|ERROR|KILLED|LOST/.test(state),
    ),
  );
  return status.state;
}

// Processes start slowly on a machine that is busy with other tests.
describe('a persistent volume', { timeout: 60_000 }, () => {
  it('has what one task wrote for the next, even when the agent died in between', async () => {
    await apply('reserve', { type: 'RESERVE', reserve: { resources: [DISK] } });
    await apply('create', { type: 'CREATE', create: { volumes: [VOLUME] } });
    expect(await run('writes', 'echo kept > data/file')).toBe('TASK_FINISHED');
    agent.kill('SIGKILL');
    agent = await startAgent();
    expect(master.subscriptions.at(-1)?.total_resources).toContainEqual(VOLUME);
    expect(await run('reads', 'test "$(cat data/file)" = kept')).toBe('TASK_FINISHED');
    const file = join(directory, 'volumes', 'roles', 'eng', 'v1', 'file');
    expect(await readFile(file, 'utf8')).toBe('kept\n');
    await apply('destroy', { type: 'DESTROY', destroy: { volumes: [VOLUME] } });
    await expect(readFile(file, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
