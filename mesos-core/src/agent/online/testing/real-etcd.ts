import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, systemClock, waitFor } from '@factory/runtime';

/** etcd as a child process of a test. */
export interface RealEtcd {
  readonly url: string;
  put(key: string, value: string): Promise<void>;
  /** SIGKILL; {@link restart} finds the data again. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;

/** Starts Debian's etcd (package `etcd-server`) on a free port, with a data directory of its own. */
export async function startRealEtcd(): Promise<RealEtcd> {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-'));
  const [url, peerUrl] = [await freeUrl(), await freeUrl()];
  const transport = createUndiciTransport();
  const post = async (path: string, body: object): Promise<number> => {
    const request = { method: 'POST', url: url + path, timeoutMs: 5000 } as const;
    return (await transport.request({ ...request, body: JSON.stringify(body) })).status;
  };
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const flags = {
      ...{ 'data-dir': join(directory, 'data'), 'listen-client-urls': url },
      ...{ 'advertise-client-urls': url, 'listen-peer-urls': peerUrl },
      ...{ 'initial-advertise-peer-urls': peerUrl, 'initial-cluster': `default=${peerUrl}` },
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    child = spawn('etcd', args, { stdio: 'ignore' });
    await waitFor(systemClock, 'etcd to answer', START_TIMEOUT_MS, async () => {
      if (child?.exitCode !== null) throw new Error('etcd ended at its start');
      const status = await post('/v3/kv/range', { key: 'YQ==' }).catch(() => 0);
      return status === 200 ? true : undefined;
    });
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  await start();
  return {
    url,
    kill,
    restart: start,
    async put(key, value) {
      const [key64, value64] = [key, value].map((text) => Buffer.from(text).toString('base64'));
      const status = await post('/v3/kv/put', { key: key64, value: value64 });
      if (status !== 200) throw new Error(`etcd answered ${status}`);
    },
    async stop() {
      await kill();
      await transport.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freeUrl(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}
