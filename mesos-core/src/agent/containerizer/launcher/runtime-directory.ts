import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identifyProcess, type ProcessIdentity, readTextIfExists } from '@factory/runtime';

import type { ContainerRecord } from '../isolators/isolator.ts';

/** The files that the launcher and its supervisors keep of each container; see launcher.sh. */
export class RuntimeDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get events(): string {
    return join(this.path, 'events');
  }

  /** The directory of one container. */
  of(containerId: string): string {
    return join(this.path, 'containers', containerId);
  }

  /** Makes an empty directory for a container; what an attempt before a crash left is gone. */
  async create(containerId: string): Promise<void> {
    await this.remove(containerId);
    await mkdir(this.of(containerId), { recursive: true, mode: 0o700 });
  }

  async remove(containerId: string): Promise<void> {
    // Again, when its supervisor writes something at this moment.
    await rm(this.of(containerId), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }

  /** Whether anything is known of it. */
  has(containerId: string): Promise<boolean> {
    return isThere(this.of(containerId));
  }

  /** Whether it needs to enter no namespaces, has done so, or has ended. */
  async hasEntered(containerId: string): Promise<boolean> {
    const directory = this.of(containerId);
    if (!(await isThere(join(directory, 'enter')))) return true;
    return (await isThere(join(directory, 'entered'))) || isThere(join(directory, 'status'));
  }

  /** The ids of all containers that have not been removed. */
  async list(): Promise<readonly string[]> {
    await mkdir(join(this.path, 'containers'), { recursive: true, mode: 0o700 });
    return readdir(join(this.path, 'containers'));
  }

  /** The wait status that the supervisor left; `undefined` while there is none. */
  async status(containerId: string): Promise<number | undefined> {
    const text = await readTextIfExists(join(this.of(containerId), 'status'));
    return text?.endsWith('\n') ? Number(text) : undefined;
  }

  /** The container's first process, if it was started in this boot of the machine. */
  process(containerId: string): Promise<ProcessIdentity | undefined> {
    return this.#identity(containerId, 'process');
  }

  supervisor(containerId: string): Promise<ProcessIdentity | undefined> {
    return this.#identity(containerId, 'supervisor');
  }

  /** What isolators know of the container, for a later agent too. */
  async writeRecord(record: ContainerRecord): Promise<void> {
    // JSON has no Infinity.
    const text = JSON.stringify(record, (_key, value) => (value === Infinity ? 'inf' : value));
    await writeFile(join(this.of(record.key), 'container.json'), text);
  }

  /** Tells the launcher when to end a container whose agent stays away. */
  async writeRecoveryTimeout(containerId: string, timeoutMs: number): Promise<void> {
    const path = join(this.of(containerId), 'recovery-timeout');
    await writeFile(path, `${Math.ceil(timeoutMs / 1000)}\n`);
  }

  /** The record of a container; where it was torn by a crash, one that knows only its key. */
  async readRecord(key: string): Promise<ContainerRecord> {
    const text = await readTextIfExists(join(this.of(key), 'container.json'));
    const nobody = { frameworkId: '', executorId: '', directory: '', user: undefined };
    // What is nested must not be taken for the outermost, whose cgroups are not its own to remove.
    const dot = key.lastIndexOf('.');
    const parentContainerId = dot === -1 ? undefined : key.slice(0, dot);
    const containerId = key.slice(dot + 1);
    const unknown = { ...nobody, key, containerId, parentContainerId, resources: [] };
    if (text === undefined) return unknown;
    try {
      return JSON.parse(text, (_key, value) => (value === 'inf' ? Infinity : value));
    } catch {
      return unknown;
    }
  }

  async #identity(containerId: string, name: string): Promise<ProcessIdentity | undefined> {
    const text = await readTextIfExists(join(this.of(containerId), name));
    if (!text?.endsWith('\n')) return undefined;
    const [pid = 0, startTicks = 0] = text.trim().split(' ').map(Number);
    return { pid, startTicks, bootId: await bootId() };
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

let ownBootId: string | undefined;

/** The boot that processes of today count their ticks from. */
export async function bootId(): Promise<string> {
  ownBootId ??= (await identifyProcess(process.pid))?.bootId ?? '';
  return ownBootId;
}
