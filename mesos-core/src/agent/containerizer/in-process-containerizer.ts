import {
  type Container,
  type ContainerEnd,
  type ContainerIdentity,
  type Containerizer,
  type LaunchRequest,
  UNKNOWN_EXIT_STATUS,
} from './containerizer.ts';

/** An executor that is an object in this process. */
export interface InProcessExecutor {
  /** Its end, with a status as of wait(2). */
  readonly exited: Promise<number>;
  /** SIGKILL: it must do nothing more. `exited` need not resolve. */
  kill(): void;
  /** Asks it to end; it may not listen. */
  terminate?(): void;
}

/** A machine for simulated executors: they outlive the agents whose containerizers are made here. */
export interface InProcessHost {
  /** A containerizer for one life of the agent. */
  createContainerizer(): Containerizer;
  /** The executors that run, by pid. */
  readonly running: ReadonlyMap<number, LaunchRequest>;
  /** SIGKILL from outside. */
  kill(pid: number): void;
}

const SIGKILL = 9;

interface Entry {
  readonly ended: Promise<number>;
  readonly end: (status: number) => void;
  readonly executor: InProcessExecutor;
}

/** Makes such a machine; `run` starts one executor. */
export function createInProcessHost(
  run: (request: LaunchRequest, pid: number) => InProcessExecutor,
): InProcessHost {
  const machine = new Machine(run);
  return {
    createContainerizer: () => containerizerOn(machine),
    running: machine.running,
    kill: (pid) => machine.kill(pid),
  };
}

class Machine {
  readonly running = new Map<number, LaunchRequest>();
  readonly #run: (request: LaunchRequest, pid: number) => InProcessExecutor;
  readonly #entries = new Map<number, Entry>();
  /** How executors ended, by pid: it is known to agents that come later. */
  readonly #statuses = new Map<number, number>();
  #lastPid = 100;

  constructor(run: (request: LaunchRequest, pid: number) => InProcessExecutor) {
    this.#run = run;
  }

  nextPid(): number {
    this.#lastPid += 1;
    return this.#lastPid;
  }

  start(request: LaunchRequest, pid: number): Promise<number> {
    const { promise: ended, resolve } = Promise.withResolvers<number>();
    const end = (status: number): void => {
      this.#entries.delete(pid);
      this.running.delete(pid);
      this.#statuses.set(pid, status);
      resolve(status);
    };
    const executor = this.#run(request, pid);
    this.#entries.set(pid, { ended, end, executor });
    this.running.set(pid, request);
    executor.exited.then(end, () => end(1 << 8));
    return ended;
  }

  async ended(pid: number): Promise<number> {
    const entry = this.#entries.get(pid);
    return entry?.ended ?? this.#statuses.get(pid) ?? UNKNOWN_EXIT_STATUS;
  }

  kill(pid: number): void {
    const entry = this.#entries.get(pid);
    if (entry === undefined) return;
    entry.executor.kill();
    entry.end(SIGKILL);
  }

  forget(pid: number): void {
    this.#statuses.delete(pid);
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') this.kill(pid);
    else this.#entries.get(pid)?.executor.terminate?.();
  }
}

function containerizerOn(machine: Machine): Containerizer {
  let isClosed = false;
  // Who has died does not hear of anybody's end.
  const unlessClosed = (ended: Promise<number>): Promise<ContainerEnd> =>
    new Promise((resolve) => {
      void ended.then((status) => isClosed || resolve({ status }));
    });
  const view = (identity: ContainerIdentity, ended: Promise<number>): Container => ({
    identity,
    exited: unlessClosed(ended),
    streams: { stdin: undefined, stdout: '/dev/null', stderr: '/dev/null', tty: undefined },
    kill: async (signal: NodeJS.Signals = 'SIGKILL') => machine.signal(identity.pid, signal),
    signal: async (signal) => machine.signal(identity.pid, signal),
    usage: async () => ({ timestamp: 0 }),
    status: () => ({
      container_id: { value: identity.containerId },
      executor_pid: identity.pid,
    }),
    update: async () => undefined,
    forget: async () => machine.forget(identity.pid),
  });
  return {
    async launch(request, beforeRun) {
      const pid = machine.nextPid();
      const { containerId } = request;
      const identity = { pid, startTicks: pid, bootId: 'simulated', containerId };
      await beforeRun(identity);
      if (isClosed) return view(identity, new Promise(() => undefined));
      return view(identity, machine.start(request, pid));
    },
    async recover(identity) {
      return view(identity, machine.ended(identity.pid));
    },
    find: async () => undefined,
    list: () => [],
    removeOrphans: async () => undefined,
    pruneImages: async () => undefined,
    async close() {
      isClosed = true;
    },
  };
}
