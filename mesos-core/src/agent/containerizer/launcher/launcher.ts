import { type ChildProcess, spawn } from 'node:child_process';
import { constants, open as openDescriptor } from 'node:fs';
import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type Clock,
  hasErrorCode,
  isSameProcessAlive,
  type Logger,
  type ProcessIdentity,
  type Timer,
  withDeadline,
} from '@factory/runtime';
import { LaunchError, UNKNOWN_EXIT_STATUS } from '../containerizer.ts';
import type { LaunchScripts } from './launch-script.ts';
import { bootId, type RuntimeDirectory } from './runtime-directory.ts';

/** A bare descriptor: the socket made of it is who closes it. */
const openFifo = promisify<string, number, number>(openDescriptor);

const SCRIPT = fileURLToPath(new URL('./launcher.sh', import.meta.url));

/** A machine that is busy may take long to fork. */
const START_TIMEOUT_MS = 30_000;

/** Every end is told at once; this finds those whose supervisor was killed. */
const POLL_INTERVAL_MS = 1000;

/** The agent's side of launcher.sh: starts containers, and knows when they end and how. */
export class Launcher {
  readonly runtime: RuntimeDirectory;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #pollIntervalMs: number;
  readonly #starting = new Map<string, PromiseWithResolvers<ProcessIdentity>>();
  readonly #watched = new Map<string, Watched>();
  #shell: Promise<ChildProcess> | undefined;
  #events: Promise<Socket> | undefined;
  #pollTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly runtime: RuntimeDirectory;
    readonly pollIntervalMs?: number | undefined;
  }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#pollIntervalMs = options.pollIntervalMs ?? POLL_INTERVAL_MS;
    this.runtime = options.runtime;
  }

  /** Takes over from the launcher of an earlier agent, which waits for one to come back. */
  attend(): void {
    this.#runningShell().catch((err: unknown) => {
      this.#logger.error({ err }, 'no launcher waits for the next agent');
    });
  }

  /**
   * Starts a container, which waits behind its gate.
   * @throws LaunchError when that takes too long.
   */
  async fork(containerId: string): Promise<ProcessIdentity> {
    const shell = await this.#runningShell();
    const started = Promise.withResolvers<ProcessIdentity>();
    this.#starting.set(containerId, started);
    try {
      shell.stdin?.write(`${containerId}\n`);
      const what = `the start of container ${containerId}`;
      return await withDeadline(this.#clock, what, START_TIMEOUT_MS, () => started.promise);
    } finally {
      this.#starting.delete(containerId);
    }
  }

  /** Writes what a container will do behind its gate. */
  async writeScripts(containerId: string, { launch, enter }: LaunchScripts): Promise<void> {
    const directory = this.runtime.of(containerId);
    if (enter !== undefined) await writeFile(join(directory, 'enter'), enter, { mode: 0o600 });
    await writeFile(join(directory, 'launch'), launch, { mode: 0o600 });
  }

  /**
   * Lets a container begin, as its scripts say.
   * @throws LaunchError when it has ended already.
   */
  async openGate(containerId: string): Promise<void> {
    const path = join(this.runtime.of(containerId), 'gate');
    let gate: FileHandle;
    try {
      gate = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (cause) {
      throw new LaunchError('the container ended before it began', { cause });
    }
    try {
      await gate.write('go\n');
    } finally {
      await gate.close();
    }
  }

  /**
   * Lets a container begin that an earlier agent has made durable, but died before it opened the
   * gate. Of one that has begun nobody listens at the gate any more.
   */
  async openGateAgain(containerId: string): Promise<void> {
    await this.openGate(containerId).catch((error: unknown) => {
      if (!(error instanceof LaunchError)) throw error;
    });
  }

  /**
   * The wait status of a container, as soon as it has ended; of one that nobody knows (its files
   * are gone, or its supervisor and its process) {@link UNKNOWN_EXIT_STATUS}. Never after `close`.
   */
  ended(containerId: string, identity: ProcessIdentity): Promise<number> {
    const existing = this.#watched.get(containerId);
    if (existing !== undefined && isSame(existing.identity, identity))
      return existing.ended.promise;
    const watched = { identity, ended: Promise.withResolvers<number>() };
    this.#watched.set(containerId, watched);
    void this.#listen();
    void this.#look(containerId, watched);
    this.#pollTimer ??= this.#clock.after(this.#pollIntervalMs, () => void this.#poll());
    return watched.ended.promise;
  }

  /** Stops watching. Containers go on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pollTimer?.cancel();
    const [shell, events] = await Promise.allSettled([this.#shell, this.#events]);
    // The end of its input ends it.
    if (shell.status === 'fulfilled') shell.value?.stdin?.end();
    if (events.status === 'fulfilled') events.value?.destroy();
  }

  async #runningShell(): Promise<ChildProcess> {
    this.#shell ??= this.#start();
    try {
      return await this.#shell;
    } catch (error) {
      this.#shell = undefined;
      throw error;
    }
  }

  async #start(): Promise<ChildProcess> {
    await mkdir(join(this.runtime.path, 'containers'), { recursive: true, mode: 0o700 });
    const shell = spawn('/bin/sh', [SCRIPT, this.runtime.path], {
      cwd: '/',
      env: { PATH: process.env.PATH },
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const failed = new Promise<never>((_resolve, reject) => {
      shell.once('error', (cause) => {
        reject(new LaunchError(`can't start the launcher: ${cause.message}`, { cause }));
      });
      shell.once('exit', (code) => {
        const error = new LaunchError(`the launcher ended with ${code}`);
        this.#shellIsGone(error);
        reject(error);
      });
    });
    failed.catch(() => undefined);
    // Writing to one that has ended is seen by its exit.
    shell.stdin?.on('error', () => undefined);
    const ready = new Promise((resolve) => shell.stdout?.once('data', resolve));
    await withDeadline(this.#clock, 'the start of the launcher', START_TIMEOUT_MS, () =>
      Promise.race([ready, failed]),
    );
    shell.unref();
    for (const stream of [shell.stdin, shell.stdout]) if (stream instanceof Socket) stream.unref();
    await this.#listen();
    return shell;
  }

  #shellIsGone(error: LaunchError): void {
    if (!this.#isClosed) this.#logger.warn({ err: error }, 'the launcher is gone');
    this.#shell = undefined;
    for (const started of this.#starting.values()) started.reject(error);
  }

  /** Opens the FIFO of events, for as long as the agent lives. */
  async #listen(): Promise<void> {
    this.#events ??= this.#openEvents();
    try {
      await this.#events;
    } catch (error) {
      // No launcher has run here yet: there is nobody to hear.
      this.#events = undefined;
      if (!hasErrorCode(error, 'ENOENT')) throw error;
    }
  }

  async #openEvents(): Promise<Socket> {
    // For writing too: so it never ends when there is no supervisor.
    const fd = await openFifo(this.runtime.events, constants.O_RDWR | constants.O_NONBLOCK);
    const boot = await bootId();
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('error', (err) => this.#logger.error({ err }, "can't read the launcher's events"));
    createInterface({ input: socket }).on('line', (line) => this.#handle(line, boot));
    socket.unref();
    return socket;
  }

  #handle(line: string, boot: string): void {
    const [type, containerId = '', first, second] = line.split(' ');
    if (type === 'started') {
      const identity = { pid: Number(first), startTicks: Number(second), bootId: boot };
      this.#starting.get(containerId)?.resolve(identity);
    } else if (type === 'ended') {
      this.#settle(containerId, Number(first));
    }
  }

  #settle(containerId: string, status: number): void {
    const watched = this.#watched.get(containerId);
    if (watched === undefined || this.#isClosed) return;
    this.#watched.delete(containerId);
    watched.ended.resolve(status);
  }

  async #poll(): Promise<void> {
    for (const [containerId, watched] of [...this.#watched]) {
      await this.#look(containerId, watched);
    }
    this.#pollTimer = undefined;
    if (this.#isClosed || this.#watched.size === 0) return;
    this.#pollTimer = this.#clock.after(this.#pollIntervalMs, () => void this.#poll());
  }

  async #look(containerId: string, { identity }: Watched): Promise<void> {
    const started = await this.runtime.process(containerId);
    if (started !== undefined && !isSame(started, identity)) {
      this.#settle(containerId, UNKNOWN_EXIT_STATUS);
      return;
    }
    const supervisor = await this.runtime.supervisor(containerId);
    const isWatched = supervisor !== undefined && (await isSameProcessAlive(supervisor));
    // After the supervisor was looked for: one that is gone has left what it had to say.
    const status = await this.runtime.status(containerId);
    if (status !== undefined) this.#settle(containerId, status);
    else if (!isWatched && !(await isSameProcessAlive(identity))) {
      this.#settle(containerId, UNKNOWN_EXIT_STATUS);
    }
  }
}

function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId;
}

interface Watched {
  readonly identity: ProcessIdentity;
  readonly ended: PromiseWithResolvers<number>;
}
