import type { Stats } from 'node:fs';
import { type FileHandle, lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { MesosHttpError } from '../http/mesos-http.ts';
import type { FileInfo } from '../protocol/index.ts';
import { type OpenedKind, openInside } from './open-inside.ts';

/** As Mesos: sixteen pages. */
const READ_BYTES_MAX = 64 * 1024;

/** A folder or file that operators may look into. */
export interface AttachedFiles {
  /** Under which it is asked for. */
  readonly path: string;
  /** Where it lies. */
  readonly real: string;
  /** Whose it is, for ACLs. */
  readonly user?: string | undefined;
}

/** A part of a file. */
export interface FilePart {
  readonly data: Buffer;
  /** Of the whole file. */
  readonly sizeBytes: number;
}

/** What operators may read of this machine: what was attached, and nothing else. */
export class VirtualFiles {
  readonly #attached: () => readonly AttachedFiles[];

  constructor(attached: () => readonly AttachedFiles[]) {
    this.#attached = attached;
  }

  get attached(): readonly AttachedFiles[] {
    return this.#attached();
  }

  /** What the path belongs to; `undefined` when to nothing. */
  find(path: string): AttachedFiles | undefined {
    const wanted = normal(path);
    return this.#attached()
      .filter((each) => wanted === normal(each.path) || wanted.startsWith(`${normal(each.path)}/`))
      .toSorted((a, b) => b.path.length - a.path.length)[0];
  }

  /** The entries of a folder. @throws MesosHttpError 404, 400 when it is no folder. */
  async list(path: string): Promise<readonly FileInfo[]> {
    const folder = await this.#open(path, 'folder');
    try {
      // The folder that is open, wherever its name leads by now.
      const real = `/proc/self/fd/${folder.fd}`;
      const names = await readdir(real);
      const owners = await readOwners();
      const entries = names.toSorted().map(async (name): Promise<FileInfo[]> => {
        // It may have gone meanwhile.
        const stats = await lstat(join(real, name)).catch(() => undefined);
        return stats === undefined ? [] : [infoOf(posix.join(normal(path), name), stats, owners)];
      });
      return (await Promise.all(entries)).flat();
    } finally {
      await folder.close();
    }
  }

  /** At most 64 KiB from the offset on. @throws MesosHttpError 404, 400 when it is a folder. */
  async read(path: string, offset: number, length = READ_BYTES_MAX): Promise<FilePart> {
    const file = await this.#open(path, 'file');
    try {
      const stat = await file.stat();
      const data = Buffer.alloc(Math.max(0, Math.min(length, READ_BYTES_MAX, stat.size - offset)));
      const { bytesRead } = await file.read(data, 0, data.length, offset);
      return { data: data.subarray(0, bytesRead), sizeBytes: stat.size };
    } finally {
      await file.close();
    }
  }

  /** The whole file. @throws MesosHttpError 404, 400 when it is a folder. */
  async stream(path: string): Promise<Readable> {
    const file = await this.#open(path, 'file');
    return file.createReadStream();
  }

  /** Links are followed as long as they stay inside of what is attached. */
  async #open(path: string, kind: OpenedKind): Promise<FileHandle> {
    const attached = this.find(path);
    if (attached === undefined) throw new MesosHttpError(404, '');
    const rest = normal(path).slice(normal(attached.path).length);
    const notFound = (): never => {
      throw new MesosHttpError(404, '');
    };
    const root = await realpath(attached.real).catch(notFound);
    const real = await realpath(join(root, rest)).catch(notFound);
    if (real !== root && !real.startsWith(`${root}/`)) {
      throw new MesosHttpError(400, `Resolved path '${path}' is inaccessible`);
    }
    return openInside(root, real, kind);
  }
}

/** Absolute, without `..` and without a slash at the end. */
function normal(path: string): string {
  return posix.normalize(`/${path}`).replace(/(?<=.)\/+$/, '');
}

function infoOf(
  path: string,
  stats: Stats,
  owners: Awaited<ReturnType<typeof readOwners>>,
): FileInfo {
  return {
    path,
    nlink: stats.nlink,
    size: stats.size,
    mtime: { nanoseconds: Math.floor(stats.mtimeMs / 1000) * 1e9 },
    mode: stats.mode,
    uid: owners.users.get(stats.uid) ?? String(stats.uid),
    gid: owners.groups.get(stats.gid) ?? String(stats.gid),
  };
}

async function readOwners() {
  const [users, groups] = await Promise.all([namesIn('/etc/passwd'), namesIn('/etc/group')]);
  return { users, groups };
}

async function namesIn(file: string): Promise<ReadonlyMap<number, string>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const entries = text.split('\n').map((line) => line.split(':'));
  return new Map(entries.map(([name = '', , id]) => [Number(id), name] as const));
}
