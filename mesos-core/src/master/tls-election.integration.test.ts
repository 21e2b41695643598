import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createUndiciTransport,
  type HttpTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Masters, openMasters, readClientTls, SchedulerClient } from '../client/index.ts';
import type { Offer } from '../protocol/index.ts';
import { makeCertificates } from '../testing/certificates.ts';
import { freePort } from '../testing/free-ports.ts';
import { type RealZooKeeper, startRealZooKeeper } from '../zookeeper/testing/real-zookeeper.ts';
import { endProcess } from '../zookeeper/testing/server-process.ts';
import { MasterProcesses } from './testing/master-process.ts';

const WAIT_MS = 30_000;
const AGENT = join(import.meta.dirname, '../agent/main.ts');
const world = { clock: systemClock, random: systemRandom, logger: silentLogger };

let directory: string;
let env: Record<string, string>;
let transport: HttpTransport;
let processes: MasterProcesses;
let zooKeeper: RealZooKeeper;
let masters: Masters;
let agent: ChildProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tls-election-'));
  env = makeCertificates(directory);
  transport = createUndiciTransport({ tls: readClientTls(env) });
  processes = await MasterProcesses.open(transport);
  zooKeeper = await startRealZooKeeper();
  // Nothing says here that the masters speak TLS: their nodes do.
  masters = openMasters(zkUrl(), world);
}, 90_000);

afterAll(async () => {
  await endProcess(agent);
  await masters.close();
  await processes.close();
  await transport.close();
  await zooKeeper.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

const zkUrl = () => `zk://${zooKeeper.host}:${zooKeeper.port}/mesos`;

const startMaster = () =>
  processes.start({
    ...{ env, scheme: 'https' },
    flags: [`--zk=${zkUrl()}`, '--zk_session_timeout=4secs'],
  });

function startAgent(port: number): ChildProcess {
  const flags = [
    ...[`--master=${zkUrl()}`, '--zk_session_timeout=4secs', `--port=${port}`, '--ip=127.0.0.1'],
    ...[`--work_dir=${join(directory, 'agent')}`, '--resources=cpus:4;mem:1024;disk:1024'],
  ];
  return spawn(process.execPath, [AGENT, ...flags], {
    env: { ...process.env, FACTORY_LOG_LEVEL: 'fatal', ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

const statusOf = async (url: string) =>
  (await transport.request({ method: 'GET', url, timeoutMs: 5000 })).status;

it('whoever asks ZooKeeper speaks TLS with masters that do, also after a failover', async () => {
  const first = await startMaster();
  await processes.answer(first.origin, 200);
  expect(await waitFor(systemClock, 'a leader', WAIT_MS, () => masters.candidates()[0])).toBe(
    first.origin,
  );
  const second = await startMaster();
  const { location } = await processes.answer(second.origin, 307);
  expect(location).toBe(`${first.origin}/api/v1`);
  const redirect = (origin: string) =>
    transport.request({ method: 'GET', url: `${origin}/master/redirect`, timeoutMs: 5000 });
  for (const { origin } of [first, second]) {
    expect((await redirect(origin)).headers.location).toBe(first.origin);
  }

  const agentPort = await freePort();
  agent = startAgent(agentPort);
  const offers: Offer[] = [];
  const client = new SchedulerClient({
    ...{ ...world, transport, masters: masters.detector ?? masters.list },
    frameworkInfo: {
      ...{ name: 'tls', user: 'root', roles: ['tls'], failover_timeout: 60 },
      capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
    },
    onEvent: (event) => {
      if (event.type === 'OFFERS') offers.push(...(event.offers.offers ?? []));
    },
  });
  const over = client.run();
  const offer = () => waitFor(systemClock, 'an offer', WAIT_MS, () => offers.shift());
  const { url, agent_id } = await offer();
  expect(url).toMatchObject({ scheme: 'https', address: { ip: '127.0.0.1', port: agentPort } });
  expect(await statusOf(`https://127.0.0.1:${agentPort}/health`)).toBe(200);

  first.kill('SIGKILL');
  expect((await offer()).agent_id).toEqual(agent_id);
  expect(client.master).toBe(second.origin);
  await client.stop();
  await over;
}, 90_000);
