import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ListeningServer, listen, systemClock, waitFor } from '@factory/runtime';
import { freePort } from '../../testing/free-ports.ts';
import { startAgentProcess } from '../../testing/processes.ts';
import { createFakeMaster, type FakeMaster } from './fake-master.ts';

/** A real agent's surroundings: a fake master, a port, and a folder. */
export interface AgentSurroundings {
  readonly directory: string;
  readonly master: FakeMaster;
  readonly port: number;
  /** Starts an agent with 4 cpus here. */
  start(...flags: readonly string[]): ChildProcess;
  /** Starts one, and waits until it is subscribed. */
  startSubscribed(...flags: readonly string[]): Promise<ChildProcess>;
  /** Ends the master, and removes the folder; the agent has ended. */
  close(): Promise<void>;
}

/** @param name begins the name of the folder. */
export async function prepareAgent(name: string): Promise<AgentSurroundings> {
  const directory = await mkdtemp(join(tmpdir(), name));
  const master = createFakeMaster({ clock: systemClock });
  const server: ListeningServer = await listen(master.app, {
    ...{ host: '127.0.0.1', port: 0, graceMs: 100 },
  });
  const port = await freePort();
  const start = (...flags: readonly string[]): ChildProcess =>
    startAgentProcess([
      ...[`--master=${server.url.replace('http://', '')}`, `--work_dir=${directory}`],
      ...[`--port=${port}`, '--resources=cpus:4;mem:1024;disk:1024', ...flags],
    ]);
  return {
    ...{ directory, master, port, start },
    async startSubscribed(...flags) {
      const before = master.subscriptions.length;
      const agent = start(...flags);
      await waitFor(systemClock, 'SUBSCRIBE', 20_000, () =>
        master.subscriptions.length > before ? true : undefined,
      );
      return agent;
    },
    async close() {
      master.cut();
      await server.close();
      // A container's supervisor may write how it ended at this moment.
      await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
