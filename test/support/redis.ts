import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock, waitFor } from '@factory/runtime';
import { isFree } from '../../cli/src/supervisor/ports.ts';

const PROGRAM = '/usr/bin/redis-server';
const START_TIMEOUT_MS = 10_000;

/** A Redis of a test's own (Debian's redis-server), in memory alone. */
export interface TestRedis {
  readonly url: string;
  /** Takes all that it knows. */
  empty(): Promise<void>;
  /** SIGKILL; after `downMs` it is back, empty. */
  killFor(downMs: number): Promise<void>;
  close(): Promise<void>;
}

/** @throws when the program is not there, or does not start. */
export async function startTestRedis(): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'factory-redis-'));
  const port = await freePort();
  const start = async (): Promise<ChildProcess> => {
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
    const child = spawn(PROGRAM, [...where, '--save', '', '--appendonly', 'no'], {
      stdio: 'ignore',
    });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    const isUp = async () => ((await ask(port, 'PING')) === '+PONG' ? true : undefined);
    await Promise.race([failed, waitFor(systemClock, 'Redis', START_TIMEOUT_MS, isUp)]);
    return child;
  };
  let running = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    async empty() {
      if ((await ask(port, 'FLUSHALL')) !== '+OK') throw new Error('Redis keeps its data');
    },
    async killFor(downMs) {
      await end(running, 'SIGKILL');
      await sleep(systemClock, downMs);
      running = await start();
    },
    async close() {
      await end(running, 'SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The first line of the answer to a command of one word; empty when there is none. */
async function ask(port: number, command: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = createConnection(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
  socket.once('data', (bytes) => resolve(bytes.toString('utf8').trimEnd()));
  socket.once('close', () => resolve(''));
  socket.once('error', () => resolve(''));
  const answer = await promise;
  socket.destroy();
  return answer;
}

async function end(child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await promise;
}

/** Away from those that factories of tests look for. */
async function freePort(): Promise<number> {
  for (let tried = 0; tried < 100; tried += 1) {
    const port = 16_400 + ((process.pid + tried) % 1_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port');
}
