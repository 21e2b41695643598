import { mkdir, readdir, readFile, rm, rmdir, stat, statfs, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, hasErrorCode, type Logger, type Timer } from '@factory/runtime';
import { dueSandboxes, type GcPolicy, maxAgeMs } from './gc-schedule.ts';
import { type LogLimits, rotateLogs } from './log-rotation.ts';
import type { Sandboxes, SandboxFigures } from './sandboxes.ts';

/** How {@link createFileSandboxes} behaves. */
export interface FileSandboxesOptions extends GcPolicy {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly workDir: string;
  /** Between two looks at the disk. */
  readonly watchIntervalMs: number;
  /** `undefined`: output files grow as they like. */
  readonly logLimits: LogLimits | undefined;
  readonly logIntervalMs: number;
}

/** The sandboxes of an agent, below its `work_dir`. */
export function createFileSandboxes(options: FileSandboxesOptions): Sandboxes {
  return new FileSandboxes(options);
}

class FileSandboxes implements Sandboxes {
  readonly #options: FileSandboxesOptions;
  /** By directory: since when its run is over. */
  readonly #retired = new Map<string, number>();
  readonly #timers = new Set<Timer>();
  #isClosed = false;
  #removed = 0;
  #failed = 0;
  #maxAgeMs: number;

  constructor(options: FileSandboxesOptions) {
    this.#options = options;
    this.#maxAgeMs = maxAgeMs(options, 0);
  }

  async linkTask(directory: string, taskId: string, containerId: string): Promise<void> {
    const link = join(directory, 'tasks', taskId);
    await mkdir(dirname(link), { recursive: true, mode: 0o755 });
    await rm(link, { force: true });
    await symlink(join('..', 'containers', containerId), link);
  }

  retire(directory: string): void {
    this.#retired.set(directory, this.#options.clock.nowMs());
  }

  async start(live: () => readonly string[]): Promise<void> {
    const { workDir, watchIntervalMs, logLimits, logIntervalMs } = this.#options;
    const inUse = new Set(live());
    await removeDeadEnds(join(workDir, 'slaves'), inUse);
    for (const directory of await findSandboxes(join(workDir, 'slaves'))) {
      if (inUse.has(directory) || this.#retired.has(directory)) continue;
      const found = await stat(directory).catch(() => undefined);
      if (found !== undefined) this.#retired.set(directory, found.mtimeMs);
    }
    this.#every(watchIntervalMs, () => this.#removeOld());
    if (logLimits === undefined) return;
    this.#every(logIntervalMs, async () => {
      for (const directory of live()) await rotateLogs(directory, logLimits);
    });
  }

  figures(): SandboxFigures {
    const pending = this.#retired.size;
    return { pending, removed: this.#removed, failed: this.#failed, maxAgeMs: this.#maxAgeMs };
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) timer.cancel();
  }

  async #removeOld(): Promise<void> {
    const { clock, logger, workDir } = this.#options;
    const { blocks, bavail } = await statfs(workDir);
    const retired = Array.from(this.#retired, ([directory, sinceMs]) => ({ directory, sinceMs }));
    const usage = blocks === 0 ? 0 : 1 - bavail / blocks;
    this.#maxAgeMs = maxAgeMs(this.#options, usage);
    for (const { directory } of dueSandboxes(retired, this.#options, usage, clock.nowMs())) {
      if (this.#isClosed) return;
      if (await hasMounts(directory)) {
        logger.warn({ directory }, 'something is still mounted in this sandbox; it stays for now');
        continue;
      }
      try {
        await rm(directory, { recursive: true, force: true });
      } catch (error) {
        this.#failed += 1;
        throw error;
      }
      this.#removed += 1;
      this.#retired.delete(directory);
      await removeEmptyParents(dirname(directory), join(workDir, 'slaves'));
      logger.info({ directory }, 'removed an old sandbox');
    }
  }

  /** The next time comes an interval after this one is over. What goes wrong is tried again then. */
  #every(intervalMs: number, work: () => Promise<void>): void {
    const { clock, logger } = this.#options;
    const timer = clock.after(intervalMs, async () => {
      this.#timers.delete(timer);
      try {
        await work();
      } catch (error) {
        logger.warn({ err: error }, 'the care for sandboxes failed; it is tried again');
      }
      if (!this.#isClosed) this.#every(intervalMs, work);
    });
    this.#timers.add(timer);
  }
}

/** All `slaves/<id>/frameworks/<id>/executors/<id>/runs/<id>`. */
async function findSandboxes(slaves: string): Promise<readonly string[]> {
  const sandboxes: string[] = [];
  for (const runs of (await walk(slaves)).runs) {
    for (const name of await foldersIn(runs)) sandboxes.push(join(runs, name));
  }
  return sandboxes;
}

/**
 * All `slaves/<id>/frameworks/<id>/executors/<id>/runs`, whether they are there or not; and folders
 * on the way to them from which none goes on.
 */
async function walk(slaves: string) {
  const ends: string[] = [];
  let level = [slaves];
  for (const below of ['frameworks', 'executors', 'runs']) {
    const next: string[] = [];
    for (const directory of level) {
      const names = await foldersIn(directory);
      if (names.length === 0 && directory !== slaves) ends.push(directory);
      for (const name of names) next.push(join(directory, name, below));
    }
    level = next;
  }
  return { runs: level, ends };
}

/** What an agent leaves that dies before it has made a sandbox, or while it removes one. */
async function removeDeadEnds(slaves: string, inUse: ReadonlySet<string>): Promise<void> {
  const { runs, ends } = await walk(slaves);
  const live = [...inUse];
  for (const end of [...ends, ...runs]) {
    if (live.some((sandbox) => sandbox.startsWith(`${end}/`))) continue;
    if ((await foldersIn(end)).length === 0) await removeEmptyParents(end, slaves);
  }
}

/** Folders, and no links to folders such as `latest`. */
async function foldersIn(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** A volume that is still mounted would be emptied with the sandbox. */
async function hasMounts(directory: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.split('\n').some((line) => {
    // Field 5 is where it is mounted, with spaces as \040 (proc(5)).
    const path = (line.split(' ')[4] ?? '').replaceAll('\\040', ' ');
    return path === directory || path.startsWith(`${directory}/`);
  });
}

/** Removes a `runs` without sandboxes, and the folders above that hold nothing else. */
async function removeEmptyParents(runs: string, top: string): Promise<void> {
  if ((await foldersIn(runs)).length === 0) {
    // `latest`, and one that was being made when an agent died.
    for (const link of await namesIn(runs)) await rm(join(runs, link), { force: true });
  }
  for (let parent = runs; parent.startsWith(`${top}/`); parent = dirname(parent)) {
    try {
      await rmdir(parent);
    } catch (error) {
      // Something else is in there; or it was never made.
      if (!hasErrorCode(error, 'ENOENT')) return;
    }
  }
}
