import { createReadStream } from 'node:fs';
import { lstat, open, readdir, readFile, realpath } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { MesosHttpError } from '../http/mesos-http.ts';
import type { FileInfo } from '../protocol/index.ts';

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
    const real = await this.#resolve(path);
    const names = await readdir(real).catch(() => {
      throw new MesosHttpError(400, `Failed to list '${path}': not a directory`);
    });
    const owners = await readOwners();
    const entries = names.toSorted().map(async (name): Promise<FileInfo[]> => {
      // It may have gone meanwhile.
      const stat = await lstat(join(real, name)).catch(() => undefined);
      if (stat === undefined) return [];
      return [
        {
          path: posix.join(normal(path), name),
          nlink: stat.nlink,
          size: stat.size,
          mtime: { nanoseconds: Math.floor(stat.mtimeMs / 1000) * 1e9 },
          mode: stat.mode,
          uid: owners.users.get(stat.uid) ?? String(stat.uid),
          gid: owners.groups.get(stat.gid) ?? String(stat.gid),
        },
      ];
    });
    return (await Promise.all(entries)).flat();
  }

  /** At most 64 KiB from the offset on. @throws MesosHttpError 404, 400 when it is a folder. */
  async read(path: string, offset: number, length = READ_BYTES_MAX): Promise<FilePart> {
    const file = await open(await this.#resolve(path), 'r');
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new MesosHttpError(400, 'Cannot read a directory.');
      const data = Buffer.alloc(Math.max(0, Math.min(length, READ_BYTES_MAX, stat.size - offset)));
      const { bytesRead } = await file.read(data, 0, data.length, offset);
      return { data: data.subarray(0, bytesRead), sizeBytes: stat.size };
    } finally {
      await file.close();
    }
  }

  /** The whole file. @throws MesosHttpError 404, 400 when it is a folder. */
  async stream(path: string): Promise<Readable> {
    const real = await this.#resolve(path);
    if (!(await lstat(real)).isFile())
      throw new MesosHttpError(400, 'Cannot download a directory.');
    return createReadStream(real);
  }

  /** Links are followed as long as they stay inside of what is attached. */
  async #resolve(path: string): Promise<string> {
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
    return real;
  }
}

/** Absolute, without `..` and without a slash at the end. */
function normal(path: string): string {
  return posix.normalize(`/${path}`).replace(/(?<=.)\/+$/, '');
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
