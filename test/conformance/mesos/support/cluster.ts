import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock, waitFor } from '@factory/runtime';

const MASTER_MAIN = fileURLToPath(
  new URL('../../../../mesos-core/src/master/main.ts', import.meta.url),
);
const AGENT_MAIN = fileURLToPath(
  new URL('../../../../mesos-core/src/agent/main.ts', import.meta.url),
);

/** A master and an agent of mesos-core, as processes on free ports. */
export interface MesosCluster {
  readonly masterUrl: string;
  readonly agentUrl: string;
  /** Holds all that the cluster writes; removed by `stop`. */
  readonly directory: string;
  readonly masterPid: number;
  /** Starts another agent of 1 cpu, with a host name of its own, which ends with the cluster. */
  addAgent(): Promise<AddedAgent>;
  /** Ends the agent and all that it started, then the master. */
  stop(): Promise<void>;
}

/** An agent beside the first. */
export interface AddedAgent {
  /** That no other agent has. */
  readonly hostname: string;
}

/** What differs from Mesos' defaults. */
export interface MesosClusterOptions {
  /** Given before anything starts, so that credentials and keys can be written there. */
  readonly directory?: string;
  readonly masterFlags?: readonly string[];
  readonly agentFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Of both processes; default `http`. */
  readonly scheme?: 'http' | 'https';
}

const START_TIMEOUT_MS = 30_000;

/**
 * Starts the cluster and waits until both processes listen and (without TLS) the master leads; the
 * agent may still be registering.
 * @throws DeadlineExceededError when they do not.
 */
export async function startMesosCluster(options: MesosClusterOptions = {}): Promise<MesosCluster> {
  const { scheme = 'http', masterFlags = [], agentFlags = [] } = options;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'mesos-cluster-')));
  const [masterPort, agentPort] = [await freePort(), await freePort()];
  const env = { ...process.env, FACTORY_LOG_LEVEL: 'error', ...options.env };
  const start = (main: string, flags: readonly string[]): ChildProcess =>
    spawn(process.execPath, [main, ...flags], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const master = start(MASTER_MAIN, [
    ...[`--port=${masterPort}`, `--work_dir=${join(directory, 'master')}`, ...masterFlags],
  ]);
  const agentOwn = [
    ...[`--master=127.0.0.1:${masterPort}`, `--port=${agentPort}`, '--hostname=localhost'],
    ...[`--work_dir=${join(directory, 'agent')}`, '--attributes=rack:r1;ssd:true;cores:8'],
    '--resources=cpus:8;mem:8192;disk:10240;ports:[31000-32000]',
  ];
  const agent = start(AGENT_MAIN, [...agentOwn, ...agentFlags]);
  const added: ChildProcess[] = [];
  const addAgent = async (): Promise<AddedAgent> => {
    const hostname = `added-${added.length + 1}`;
    const flags = [
      ...[`--master=127.0.0.1:${masterPort}`, `--port=${await freePort()}`],
      ...[`--hostname=${hostname}`, `--work_dir=${join(directory, hostname)}`],
      '--resources=cpus:1;mem:256;disk:256',
    ];
    added.push(start(AGENT_MAIN, flags));
    return { hostname };
  };
  const stop = async (): Promise<void> => {
    await Promise.all(added.map((each) => end(each, 'SIGKILL')));
    await end(agent, 'SIGTERM');
    await cleanUpAgent(start, agentOwn.concat(agentFlags));
    await end(master, 'SIGKILL');
    await rm(directory, { recursive: true, force: true });
  };
  try {
    for (const [process, port] of [
      [master, masterPort],
      [agent, agentPort],
    ] as const) {
      await waitFor(systemClock, `port ${port}`, START_TIMEOUT_MS, async () => {
        if (process.exitCode !== null) throw new Error('a process of the cluster ended');
        return (await isOpen(port)) ? true : undefined;
      });
    }
    if (scheme === 'http') {
      await waitFor(systemClock, 'the master to lead', START_TIMEOUT_MS, async () =>
        (await isReady(masterPort)) ? true : undefined,
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    masterUrl: `${scheme}://127.0.0.1:${masterPort}`,
    agentUrl: `${scheme}://127.0.0.1:${agentPort}`,
    directory,
    masterPid: master.pid ?? 0,
    addAgent,
    stop,
  };
}

/** Executors outlive their agent: the next life of the agent ends them. */
async function cleanUpAgent(
  start: (main: string, flags: readonly string[]) => ChildProcess,
  flags: readonly string[],
): Promise<void> {
  const cleaner = start(AGENT_MAIN, [...flags, '--recover=cleanup']);
  if (cleaner.exitCode === null) await once(cleaner, 'exit');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function isReady(port: number): Promise<boolean> {
  const outgoing = get({ host: '127.0.0.1', port, path: '/health/ready', agent: false });
  const [response]: IncomingMessage[] = await once(outgoing, 'response');
  response?.resume();
  return response?.statusCode === 200;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
