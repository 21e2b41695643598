import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealZooKeeper, startRealZooKeeper } from '../zookeeper/testing/real-zookeeper.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const WAIT_MS = 30_000;

const transport = createUndiciTransport();
const children: ChildProcess[] = [];
let zooKeeper: RealZooKeeper;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mesos-handover-'));
  zooKeeper = await startRealZooKeeper();
}, 90_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await transport.close();
  await zooKeeper.stop();
  await rm(directory, { recursive: true });
});

/** A master whose ZooKeeper is named by MESOS_ZK, with a credential. */
async function startMaster(): Promise<{ child: ChildProcess; origin: string; port: number }> {
  const port = await freePort();
  const zk = `zk://mesos:secret@${zooKeeper.host}:${zooKeeper.port}/mesos`;
  const flags = [`--port=${port}`, `--work_dir=${join(directory, String(port))}`, '--quorum=1'];
  const child = spawn(process.execPath, [MAIN, ...flags], {
    env: { ...process.env, FACTORY_LOG_LEVEL: 'error', MESOS_ZK: zk },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  children.push(child);
  return { child, origin: `http://127.0.0.1:${port}`, port };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Asks who leads; waits for this status. */
function answers(origin: string, status: number): Promise<string> {
  return waitFor(systemClock, `${origin} to answer ${status}`, WAIT_MS, async () => {
    const response = await transport
      .request({
        ...{ method: 'POST', url: `${origin}/api/v1`, timeoutMs: 1000 },
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: '{"type":"GET_MASTER"}',
      })
      .catch(() => undefined);
    if (response?.status !== status) return undefined;
    return response.headers.location ?? Buffer.from(response.body).toString();
  });
}

describe('two masters', () => {
  it('hand over at once when the leader is asked to end', async () => {
    const first = await startMaster();
    await answers(first.origin, 200);
    const second = await startMaster();
    expect(await answers(second.origin, 307)).toBe(`//127.0.0.1:${first.port}/api/v1`);
    const exited = new Promise((resolve) => first.child.once('exit', resolve));
    first.child.kill('SIGTERM');
    expect(await exited).toBe(0);
    const master = JSON.parse(await answers(second.origin, 200)).get_master.master_info;
    expect(master).toMatchObject({ port: second.port, hostname: '127.0.0.1' });
  }, 90_000);
});
