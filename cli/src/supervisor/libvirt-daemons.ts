import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  type Clock,
  createRepeater,
  isSameProcessAlive,
  type Logger,
  type Repeater,
  waitFor,
} from '@factory/runtime';
import { grantKvmAccess } from './kvm-access.ts';
import type { Layout } from './layout.ts';
import { identify, type RunState } from './run-state.ts';

export const LIBVIRT_SOCKET = '/run/libvirt/libvirt-sock';
const DAEMONS = [
  { name: 'virtlogd', socket: '/run/libvirt/virtlogd-sock' },
  { name: 'libvirtd', socket: LIBVIRT_SOCKET },
] as const;
type Daemon = (typeof DAEMONS)[number];

const START_TIMEOUT_MS = 20_000;
/** How often it is seen to that ours live; guests run on while they are away. */
const WATCH_INTERVAL_MS = 500;

interface LibvirtDaemonsOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Started by an earlier run that kept its guests: still ours to keep up and to end. */
  readonly earlier: RunState['daemons'];
  /** Told when one was started (again). */
  readonly onChange: () => void;
}

/**
 * virtlogd and libvirtd of this machine. Those that nobody (systemd, another factory) runs are
 * started, and started again whenever they die, as systemd would do it; the others are left alone.
 */
export class LibvirtDaemons {
  readonly #options: LibvirtDaemonsOptions;
  #owned: RunState['daemons'];
  readonly #watch: Repeater;
  #isClosed = false;

  constructor(options: LibvirtDaemonsOptions) {
    this.#options = options;
    this.#owned = options.earlier;
    const { clock, logger } = options;
    this.#watch = createRepeater({
      ...{ clock, intervalMs: WATCH_INTERVAL_MS, work: () => this.#restartDead() },
      onError: (error) => logger.error({ err: error }, 'a daemon does not come up'),
    });
  }

  /** Those that are ours to end. */
  get owned(): RunState['daemons'] {
    return this.#owned;
  }

  /** Sees to it that both answer. @throws when one does not come up, with where to look. */
  async start(): Promise<void> {
    await grantKvmAccess();
    for (const daemon of DAEMONS) if (!(await answers(daemon.socket))) await this.#start(daemon);
    this.#watch.start();
  }

  /** They go on; nobody starts them again. */
  close(): void {
    this.#isClosed = true;
    this.#watch.close();
  }

  async #start({ name, socket }: Daemon): Promise<void> {
    const { layout, clock, onChange } = this.#options;
    const logFile = join(layout.logs, `${name}.log`);
    const child = startDaemon(name, logFile);
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`${name} can not be started; is it installed?`, { cause: error });
    });
    // Known as ours before it answers: a run that ends meanwhile ends it, too.
    const identity = await identify(child.pid);
    const others = this.#owned.filter((each) => each.name !== name);
    this.#owned = identity === null ? others : [...others, { name, identity }];
    onChange();
    const isUp = async () => ((await answers(socket)) ? true : undefined);
    await Promise.race([
      waitFor(clock, `${name} (its log: ${logFile})`, START_TIMEOUT_MS, isUp),
      failed,
    ]);
  }

  async #restartDead(): Promise<void> {
    for (const daemon of DAEMONS) {
      const owned = this.#owned.find(({ name }) => name === daemon.name);
      if (owned === undefined || (await isSameProcessAlive(owned.identity))) continue;
      // Somebody else may have been quicker.
      if (this.#isClosed || (await answers(daemon.socket))) continue;
      this.#options.logger.warn({ daemon: daemon.name }, 'it has died, and is started again');
      await this.#start(daemon);
    }
  }
}

function startDaemon(name: string, logFile: string): ChildProcess {
  mkdirSync('/run/libvirt', { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(name, [], { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.unref();
  return child;
}

/** Whether somebody listens on the unix socket. */
export function answers(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(socket);
  connection.once('connect', () => {
    connection.destroy();
    resolve(true);
  });
  connection.once('error', () => resolve(false));
  return promise;
}
