import type { ProcessIdentity } from '@factory/runtime';
import {
  type ExecutorLauncher,
  type ExecutorProcess,
  type LaunchRequest,
  UNKNOWN_EXIT_STATUS,
} from './executor-launcher.ts';

/** An executor that is an object in this process. */
export interface InProcessExecutor {
  /** Its end, with a status as of wait(2). */
  readonly exited: Promise<number>;
  /** SIGKILL: it must do nothing more. `exited` need not resolve. */
  kill(): void;
  /** Asks it to end; it may not listen. */
  terminate?(): void;
}

/** A machine for simulated executors: they outlive the agents whose launchers are made here. */
export interface InProcessHost {
  /** A launcher for one life of the agent. */
  createLauncher(): ExecutorLauncher;
  /** The executors that run, by pid. */
  readonly running: ReadonlyMap<number, LaunchRequest>;
  /** SIGKILL from outside. */
  kill(pid: number): void;
}

const SIGKILL = 9;

interface Entry {
  readonly identity: ProcessIdentity;
  readonly ended: Promise<number>;
  readonly end: (status: number) => void;
  readonly executor: InProcessExecutor;
}

/** Makes such a machine; `run` starts one executor. */
export function createInProcessHost(
  run: (request: LaunchRequest, pid: number) => InProcessExecutor,
): InProcessHost {
  const entries = new Map<number, Entry>();
  const running = new Map<number, LaunchRequest>();
  let lastPid = 100;
  const kill = (pid: number): void => {
    const entry = entries.get(pid);
    if (entry === undefined) return;
    entry.executor.kill();
    entry.end(SIGKILL);
  };
  const start = (request: LaunchRequest, identity: ProcessIdentity): Entry => {
    const { pid } = identity;
    const { promise: ended, resolve } = Promise.withResolvers<number>();
    const end = (status: number): void => {
      entries.delete(pid);
      running.delete(pid);
      resolve(status);
    };
    const entry = { identity, ended, end, executor: run(request, pid) };
    entries.set(pid, entry);
    running.set(pid, request);
    entry.executor.exited.then(end, () => end(1 << 8));
    return entry;
  };
  return { createLauncher: () => launcherOn(entries, () => ++lastPid, start, kill), running, kill };
}

function launcherOn(
  entries: ReadonlyMap<number, Entry>,
  nextPid: () => number,
  start: (request: LaunchRequest, identity: ProcessIdentity) => Entry,
  kill: (pid: number) => void,
): ExecutorLauncher {
  let isClosed = false;
  // Who has died does not hear of anybody's end.
  const unlessClosed = (ended: Promise<number>): Promise<number> =>
    new Promise((resolve) => {
      void ended.then((status) => isClosed || resolve(status));
    });
  const view = (identity: ProcessIdentity, ended: Promise<number>): ExecutorProcess => ({
    identity,
    exited: unlessClosed(ended),
    kill: async () => kill(identity.pid),
    signal: async (signal) => {
      if (signal === 'SIGKILL') kill(identity.pid);
      else entries.get(identity.pid)?.executor.terminate?.();
    },
  });
  return {
    async launch(request, beforeRun) {
      const pid = nextPid();
      const identity = { pid, startTicks: pid, bootId: 'simulated' };
      await beforeRun(identity);
      if (isClosed) return view(identity, new Promise(() => undefined));
      return view(identity, start(request, identity).ended);
    },
    async recover(identity) {
      const ended = entries.get(identity.pid)?.ended.then(() => UNKNOWN_EXIT_STATUS);
      return view(identity, ended ?? Promise.resolve(UNKNOWN_EXIT_STATUS));
    },
    async close() {
      isClosed = true;
    },
  };
}
