import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';

/** Apache ZooKeeper as a child process of a test. */
export interface RealZooKeeper {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Where Debian's package `zookeeper` has it. */
const CLASS_PATH = '/usr/share/java/zookeeper.jar';
const MAIN_CLASS = 'org.apache.zookeeper.server.ZooKeeperServerMain';
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
  const configuration = join(directory, 'zoo.cfg');
  const lines = {
    dataDir: join(directory, 'data'),
    clientPort: port,
    clientPortAddress: host,
    tickTime: TICK_MS,
    'admin.enableServer': false,
    // Tests have many clients on one address.
    maxClientCnxns: 0,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(configuration, text.join(''));
  const java = ['java', '-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  const command = [...prefix, ...java, '-cp', CLASS_PATH, MAIN_CLASS, configuration];
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    await end(child);
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

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
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

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
