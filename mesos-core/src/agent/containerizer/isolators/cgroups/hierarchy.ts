import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hasErrorCode } from '@factory/runtime';
import type { CgroupVersion, Subsystem } from './controls.ts';

/** Where the kernel's cgroups are mounted. */
export interface CgroupMounts {
  readonly version: CgroupVersion;
  /** Mount points of the subsystems that there are; in version 2 all the same. */
  readonly roots: Readonly<Partial<Record<Subsystem, string>>>;
}

const SUBSYSTEMS: readonly Subsystem[] = ['cpu', 'cpuacct', 'memory', 'pids', 'freezer'];

/**
 * What /proc/mounts and the controllers of a version 2 tree say. Version 1 wins where both are
 * mounted and it has the controllers, as on hosts in transition. Pure.
 */
export function cgroupMounts(mounts: string, controllers: string): CgroupMounts | undefined {
  const entries = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, path = '', type = '', options = '']) => ({ path, type, options: options.split(',') }));
  const roots: Partial<Record<Subsystem, string>> = {};
  for (const { path, type, options } of entries) {
    if (type !== 'cgroup') continue;
    for (const name of SUBSYSTEMS) if (options.includes(name)) roots[name] ??= path;
  }
  if (roots.cpu !== undefined || roots.memory !== undefined) return { version: 1, roots };
  const unified = entries.find(({ type }) => type === 'cgroup2');
  if (unified === undefined) return undefined;
  const { path } = unified;
  // These two need no controller: every tree counts CPU time and can freeze.
  const has = new Set(controllers.trim().split(' '));
  const found = SUBSYSTEMS.filter(
    (each) => has.has(each) || each === 'cpuacct' || each === 'freezer',
  );
  return { version: 2, roots: Object.fromEntries(found.map((name) => [name, path])) };
}

/**
 * The cgroups of this machine; `undefined` when it has none.
 * @param below only those that are mounted here; default: all.
 */
export async function detectCgroups(below = '/'): Promise<CgroupMounts | undefined> {
  const all = await readFile('/proc/mounts', 'utf8').catch(() => '');
  const mounts = mountsBelow(all, below);
  const unified = /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
  const controllers =
    unified === undefined
      ? ''
      : await readFile(join(unified, 'cgroup.controllers'), 'utf8').catch(() => '');
  return cgroupMounts(mounts, controllers);
}

/** The lines of /proc/mounts whose mount point is this path or below it. Pure. */
export function mountsBelow(mounts: string, path: string): string {
  const isBelow = (point: string): boolean => !relative(path, point).startsWith('..');
  const lines = mounts.split('\n').filter((line) => isBelow(line.split(' ')[1] ?? ''));
  return lines.join('\n');
}

/** The cgroups of one name in all trees that matter, such as `mesos/<container>`. */
export class CgroupSet {
  readonly #paths: ReadonlyMap<Subsystem, string>;

  constructor(mounts: CgroupMounts, subsystems: ReadonlySet<Subsystem>, name: string) {
    const roots = [...subsystems].flatMap((each): [Subsystem, string][] => {
      const root = mounts.roots[each];
      return root === undefined ? [] : [[each, join(root, name)]];
    });
    this.#paths = new Map(roots);
  }

  /** The directories, each once though subsystems share it. */
  get #directories(): readonly string[] {
    return [...new Set(this.#paths.values())];
  }

  async create(): Promise<void> {
    for (const path of this.#directories) await mkdir(path, { recursive: true });
  }

  /** Moves a process, and with it all that it starts. */
  async add(pid: number): Promise<void> {
    for (const path of this.#directories) await writeFile(join(path, 'cgroup.procs'), `${pid}\n`);
  }

  async write(subsystem: Subsystem, file: string, value: string): Promise<void> {
    const path = this.#paths.get(subsystem);
    if (path !== undefined) await writeFile(join(path, file), value);
  }

  /** The content of a control file; empty when it (or the cgroup) is not there. */
  async read(subsystem: Subsystem, file: string): Promise<string> {
    const path = this.#paths.get(subsystem);
    if (path === undefined) return '';
    try {
      return await readFile(join(path, file), 'utf8');
    } catch (error) {
      // ENODEV: removed between open and read. EOPNOTSUPP: not for this kind of cgroup.
      const expected = ['ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP'];
      if (expected.some((code) => hasErrorCode(error, code))) return '';
      throw error;
    }
  }

  /** The pids of all processes in it and in cgroups that they made below. */
  async processes(): Promise<readonly number[]> {
    const [path] = this.#directories;
    return path === undefined ? [] : processesBelow(path);
  }

  /** Removes it with what is below; only the empty can be. */
  async remove(): Promise<void> {
    for (const path of this.#directories) await removeTree(path);
  }

  /** Leaves no trace on a host where no container runs; others keep theirs. */
  async removeIfEmpty(): Promise<void> {
    for (const path of this.#directories) await rmdir(path).catch(() => undefined);
  }

  /** In version 2 a cgroup's controllers are those that its parent gives. */
  async delegate(controllers: readonly Subsystem[]): Promise<void> {
    for (const path of this.#directories) {
      for (const each of controllers) {
        if (each === 'cpuacct' || each === 'freezer') continue;
        await writeFile(join(path, 'cgroup.subtree_control'), `+${each}`);
      }
    }
  }
}

async function subdirectories(path: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function processesBelow(path: string): Promise<readonly number[]> {
  const text = await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '');
  const own = text.split('\n').filter(Boolean).map(Number);
  const below = await Promise.all((await subdirectories(path)).map(processesBelow));
  return [...own, ...below.flat()];
}

async function removeTree(path: string): Promise<void> {
  for (const each of await subdirectories(path)) await removeTree(each);
  try {
    await rmdir(path);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}
