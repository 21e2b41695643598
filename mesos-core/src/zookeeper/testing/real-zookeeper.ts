import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { freePort } from '../../testing/free-ports.ts';
import { endProcess, spawnServer } from './server-process.ts';

/** Apache ZooKeeper as a child process of a test. */
export interface RealZooKeeper {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** ZooKeeper's own default; sessions last at least twice as long. */
const TICK_MS = 2000;
const START_TIMEOUT_MS = 60_000;

/**
 * Starts Debian's ZooKeeper with a data directory of its own.
 * @param options.prefix the command line to start it with: `ip netns exec NAME`.
 * @param options.host address to listen on.
 * @param options.port default: a free one.
 * @throws DeadlineExceededError when it does not listen within a minute.
 */
export async function startRealZooKeeper(
  options: {
    readonly host?: string;
    readonly port?: number;
    readonly prefix?: readonly string[];
  } = {},
): Promise<RealZooKeeper> {
  const { host = '127.0.0.1', prefix = [] } = options;
  const port = options.port ?? (await freePort());
  const directory = await mkdtemp(join(tmpdir(), 'zookeeper-'));
  const settings = {
    dataDir: join(directory, 'data'),
    clientPort: port,
    clientPortAddress: host,
    tickTime: TICK_MS,
  };
  const child = await spawnServer('alone', join(directory, 'zoo.cfg'), settings, prefix);
  const stop = async (): Promise<void> => {
    await endProcess(child);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await waitFor(systemClock, 'ZooKeeper to listen', START_TIMEOUT_MS, async () => {
      if (child.exitCode !== null) throw new Error('ZooKeeper ended at its start');
      return (await accepts(host, port)) ? true : undefined;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, port, stop };
}

function accepts(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection({ host, port, timeout: 1000 }, () => {
    socket.destroy();
    resolve(true);
  });
  for (const event of ['error', 'timeout']) {
    socket.once(event, () => {
      socket.destroy();
      resolve(false);
    });
  }
  return promise;
}
