import {
  type Clock,
  hasErrorCode,
  identifyProcess,
  type Logger,
  type ProcessIdentity,
  sleep,
  type Timer,
} from '@factory/runtime';
import { listProcesses, processTree } from './process-tree.ts';
import { bootId } from './runtime-directory.ts';

/** A process that does not die of SIGKILL waits for a disk; it is left to the kernel then. */
const KILL_ATTEMPTS = 50;
const KILL_INTERVAL_MS = 20;

/** After containers have ended, the sessions that they may have left behind are looked for once. */
const SWEEP_DELAY_MS = 500;

/** Signals processes of containers, and ends all that belongs to one. */
export class ProcessReaper {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ended = new Set<number>();
  #sweepTimer: Timer | undefined;

  constructor(options: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** To the container's first process and its group; nothing happens when they are gone. */
  async signalGroup(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
    const holder = await identifyProcess(identity.pid);
    // While a process of the group lives the kernel gives its number to nobody else: when another
    // process has it now, the group is empty.
    const isAnother = holder !== undefined && holder.startTicks !== identity.startTicks;
    if (isAnother || identity.bootId !== (await bootId())) return;
    // It leads no group yet when it has only just begun.
    if (!send(-identity.pid, signal) && holder !== undefined) send(identity.pid, signal);
  }

  /**
   * SIGKILL to all processes of the container: those that `members` lists (a cgroup's), and where
   * there are none, its group, its session, and all descendants. `quick` is for one that has ended
   * by itself: its session is looked for a little later, with those of others.
   */
  async killAll(
    identity: ProcessIdentity,
    members: () => Promise<readonly number[]>,
    how: 'thorough' | 'quick' = 'thorough',
  ): Promise<void> {
    // The tree before the group: whose parent is gone can't be found by it.
    if (how === 'thorough') await this.#killTree(identity);
    else this.#sweepLater(identity.pid);
    await this.signalGroup(identity, 'SIGKILL');
    for (let attempt = 0; attempt < KILL_ATTEMPTS; attempt += 1) {
      const left = await members();
      if (left.length === 0) return;
      for (const pid of left) send(pid, 'SIGKILL');
      await sleep(this.#clock, KILL_INTERVAL_MS);
    }
    this.#logger.warn({ pid: identity.pid }, 'processes of a container do not die of SIGKILL');
  }

  close(): void {
    this.#sweepTimer?.cancel();
  }

  async #killTree(identity: ProcessIdentity): Promise<void> {
    if (identity.bootId !== (await bootId())) return;
    const sessions = new Set([identity.pid]);
    // Again, for those that were forked meanwhile.
    for (let round = 0; round < KILL_ATTEMPTS; round += 1) {
      const processes = await listProcesses();
      const holder = processes.find(({ pid }) => pid === identity.pid);
      if (holder !== undefined && holder.startTicks !== identity.startTicks) return;
      const tree = processTree(processes, sessions).filter(({ isZombie }) => !isZombie);
      if (tree.length === 0) return;
      // All of the group at once: nobody in it sees another one die and ends in peace.
      if (!send(-identity.pid, 'SIGKILL') && holder !== undefined) send(identity.pid, 'SIGKILL');
      for (const { pid, session } of tree) {
        if (pid === session) sessions.add(session);
        send(pid, 'SIGKILL');
      }
      await sleep(this.#clock, KILL_INTERVAL_MS);
    }
  }

  #sweepLater(session: number): void {
    this.#ended.add(session);
    this.#sweepTimer ??= this.#clock.after(SWEEP_DELAY_MS, () => void this.#sweep());
  }

  async #sweep(): Promise<void> {
    const sessions = new Set(this.#ended);
    this.#ended.clear();
    this.#sweepTimer = undefined;
    for (const { pid, session } of await listProcesses()) {
      // A pid that is its session's number was given to a new leader: not what the old one left.
      if (sessions.has(session) && pid !== session && !leads(session)) send(pid, 'SIGKILL');
    }
  }
}

/** Whether a process with this pid exists (again). */
function leads(session: number): boolean {
  try {
    process.kill(session, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether there was a process (or, for a negative number, a group) to send it to. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (hasErrorCode(error, 'ESRCH')) return false;
    throw error;
  }
}
