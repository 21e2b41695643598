import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  authorizationHeader,
  NONCE_HEADER,
  signRequest,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { createUndiciTransport, systemClock, waitFor } from '@factory/runtime';
import { type Figures, inSeconds } from '../figures.ts';
import { sendAll } from './load.ts';
import { cpuSeconds } from './processes.ts';

const ROOT = join(import.meta.dirname, '../../..');
const REQUESTS = 10_000;
const WARM_UP_REQUESTS = 3_000;
const CONNECTIONS = 32;
const ROUNDS = 3;
const START_TIMEOUT_MS = 30_000;
const PATH = '/v1/vms/vm_11111111111111111111111111111111';
const KEY_ID = `key_${'1'.repeat(32)}`;
const NODE = ['--disable-warning=ExperimentalWarning'];

interface Server {
  readonly process: ChildProcess;
  readonly port: number;
}
interface Round {
  /** Requests a second. */
  readonly rate: number;
  readonly cpuMsPerRequest: number;
}

/**
 * The gateway with signatures, replays and rates checked, beside fastify that answers the same by
 * itself and fastify that only sends on; alternating, the best round of each. Next to requests a
 * second stands the CPU time of a request, which others on the machine change less.
 */
export async function measureGateway(figures: Figures): Promise<void> {
  const secret = randomBytes(32).toString('hex');
  const upstream = await startServer('upstream', [], { BENCH_SECRET: secret });
  const bare = await startServer('bare');
  const proxy = await startServer('proxy', [`http://127.0.0.1:${upstream.port}`]);
  const gateway = await startGateway(upstream.port);
  const all = [upstream, bare, proxy, gateway];
  try {
    const best = new Map<Server, Round>();
    for (const server of [bare, proxy, gateway]) await run(server, secret, WARM_UP_REQUESTS);
    for (let number = 0; number < ROUNDS; number += 1) {
      for (const server of [bare, proxy, gateway]) {
        const round = await run(server, secret, REQUESTS);
        const before = best.get(server) ?? { rate: 0, cpuMsPerRequest: Number.POSITIVE_INFINITY };
        best.set(server, {
          rate: Math.max(before.rate, round.rate),
          cpuMsPerRequest: Math.min(before.cpuMsPerRequest, round.cpuMsPerRequest),
        });
      }
    }
    report(figures, [best.get(bare), best.get(proxy), best.get(gateway)]);
  } finally {
    for (const { process: child } of all) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
  }
}

function report(figures: Figures, rounds: readonly (Round | undefined)[]): void {
  const [bare, proxy, gateway] = rounds;
  if (bare === undefined || proxy === undefined || gateway === undefined) return;
  const named = { 'bare fastify': bare, 'fastify that sends on': proxy, 'the gateway': gateway };
  for (const [name, { rate, cpuMsPerRequest }] of Object.entries(named)) {
    figures.note({ what: name, value: rate, unit: 'requests/s' });
    figures.note({ what: `${name}, CPU`, value: cpuMsPerRequest * 1000, unit: 'µs a request' });
  }
  const percent = { unit: '%', isFloor: true };
  const ofBare = (100 * gateway.rate) / bare.rate;
  // Who answers by himself has no second connection to serve: that one is for the eye alone.
  figures.note({ what: 'the gateway, of fastify that answers itself', value: ofBare, ...percent });
  const ofProxy = (100 * gateway.rate) / proxy.rate;
  const what = 'the gateway, of bare fastify that sends on';
  figures.note({ what, value: ofProxy, ...percent, limit: 60 });
  const ofBareCpu = (100 * bare.cpuMsPerRequest) / gateway.cpuMsPerRequest;
  figures.note({ what: 'the same of bare fastify by CPU time', value: ofBareCpu, ...percent });
}

async function run(
  { port, process: child }: Server,
  secret: string,
  count: number,
): Promise<Round> {
  const requests = Array.from({ length: count }, () => signedRequest(secret));
  const cpuBefore = await cpuSeconds(child.pid ?? 0);
  const { value, seconds } = await inSeconds(() => sendAll(port, requests, CONNECTIONS));
  const good = value.get(200) ?? 0;
  if (good !== count) throw new Error(`answers by status: ${JSON.stringify([...value])}`);
  const cpu = (await cpuSeconds(child.pid ?? 0)) - cpuBefore;
  return { rate: count / seconds, cpuMsPerRequest: (cpu * 1000) / count };
}

function signedRequest(secret: string): Buffer {
  const timestamp = String(Math.floor(systemClock.nowMs() / 1000));
  const nonce = randomBytes(18).toString('base64url');
  const parts = { method: 'GET', pathWithQuery: PATH, body: '', timestamp, nonce };
  const headers = [
    `GET ${PATH} HTTP/1.1`,
    'host: factory',
    'accept: application/json',
    `authorization: ${authorizationHeader(KEY_ID, signRequest(secret, parts))}`,
    `${TIMESTAMP_HEADER}: ${timestamp}`,
    `${NONCE_HEADER}: ${nonce}`,
  ];
  return Buffer.from(`${headers.join('\r\n')}\r\n\r\n`);
}

async function startServer(
  kind: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const port = await freePort();
  const script = join(import.meta.dirname, 'servers.ts');
  const child = fork(script, [kind, String(port), ...args], {
    execArgv: NODE,
    env: { ...process.env, ...env },
  });
  await once(child, 'message');
  return { process: child, port };
}

async function startGateway(upstreamPort: number): Promise<Server> {
  const port = await freePort();
  const profile = process.env.FACTORY_CPU_PROFILE_DIR;
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  const child = fork(join(ROOT, 'services/api-gateway/src/main.ts'), [], {
    execArgv: [...NODE, ...profiling],
    env: {
      ...process.env,
      FACTORY_GATEWAY_PORT: String(port),
      FACTORY_API_SERVER_URL: `http://127.0.0.1:${upstreamPort}`,
      FACTORY_INTERNAL_TOKEN: randomBytes(32).toString('hex'),
      FACTORY_RATE_LIMIT_PER_SECOND: '1000000',
      FACTORY_LOG_LEVEL: 'error',
    },
  });
  const transport = createUndiciTransport();
  await waitFor(systemClock, 'the gateway', START_TIMEOUT_MS, async () => {
    const url = `http://127.0.0.1:${port}/health/ready`;
    const request = { method: 'GET', url, timeoutMs: 1_000 } as const;
    const answer = await transport.request(request).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  });
  await transport.close();
  return { process: child, port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
