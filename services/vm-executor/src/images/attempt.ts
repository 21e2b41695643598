import { basename, join } from 'node:path';
import type { ImageManifest } from '@factory/contracts';
import { hasErrorCode, type StorageHelper } from '@factory/runtime';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

const LOOK = { timeoutMs: 10_000 } as const;

type Version = Pick<ImageManifest, 'version' | 'format'>;
const NoteSchema = Type.Object({
  version: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  format: Type.Union([Type.Literal('qcow2'), Type.Literal('raw')]),
});

/**
 * An attempt at publishing a version of an image in its folder, and what it leaves when it is cut
 * off: a file under a temporary name; or, between the two writes that publish it, one under its last
 * name without a manifest. A note says of which version that would be, so that it can be found.
 * Methods throw StorageHangsError and StorageError.
 */
export class Attempt {
  readonly #helper: StorageHelper;
  readonly #folder: string;
  readonly #id: string;

  constructor(helper: StorageHelper, folder: string, id: string) {
    this.#helper = helper;
    this.#folder = folder;
    this.#id = id;
  }

  /** Where the file is put together. */
  get partial(): string {
    return join(this.#folder, `.partial-${this.#id}`);
  }

  get #note(): string {
    return `${this.partial}.json`;
  }

  pathsOf({ version, format }: Version): { readonly file: string; readonly manifest: string } {
    const path = (extension: string): string => join(this.#folder, `${version}.${extension}`);
    return { file: path(format), manifest: path('json') };
  }

  async isPublished(version: Version): Promise<boolean> {
    const { file, manifest } = this.pathsOf(version);
    return (await this.#exists(manifest)) && (await this.#exists(file));
  }

  /** From now on its file may stand under its last name. */
  async note({ version, format }: Version): Promise<void> {
    const text = JSON.stringify({ version, format });
    await this.#helper.call('writeText', { path: this.#note, text }, LOOK);
  }

  async forget(): Promise<void> {
    await this.#remove(this.#note);
  }

  /** Removes what it left; a version that is published stays. Cut off, it is done again. */
  async takeBack(): Promise<void> {
    const names = await this.#helper.call('list', { path: this.#folder }, LOOK);
    const own = names.filter((name) => name.includes(this.#id));
    if (own.length === 0) return;
    own.push(basename(this.partial));
    const text = await this.#helper.call('readText', { path: this.#note }, LOOK);
    const note: unknown = text === null ? null : JSON.parse(text);
    if (Value.Check(NoteSchema, note)) {
      await this.#takeBackFile(note);
      // What a write of its manifest left that was cut off.
      own.push(...names.filter((name) => isTemporary(name, `${note.version}.json`)));
    }
    const isNote = (name: string): number => Number(this.#note.endsWith(name));
    // The note last: as long as it is there, the rest can be found.
    for (const name of own.toSorted((a, b) => isNote(a) - isNote(b))) {
      await this.#remove(join(this.#folder, name));
    }
  }

  /** Its file, when it is nobody's; another attempt at the same bytes may be publishing them now. */
  async #takeBackFile(version: Version): Promise<void> {
    const { file, manifest } = this.pathsOf(version);
    if (!(await this.#exists(manifest))) await this.#move(file, this.partial);
    const isOthers = await this.#exists(manifest);
    if (isOthers && !(await this.#exists(file))) await this.#move(this.partial, file);
  }

  async #exists(path: string): Promise<boolean> {
    return (await this.#helper.call('size', { path }, LOOK)) !== null;
  }

  async #remove(path: string): Promise<void> {
    await this.#helper.call('remove', { path }, LOOK);
  }

  async #move(from: string, to: string): Promise<void> {
    await this.#helper.call('rename', { from, to }, LOOK).catch((error: unknown) => {
      if (!hasErrorCode(error, 'ENOENT')) throw error;
    });
  }
}

/** Whether this is a file that was being written to take the place of `name` (writeFileAtomic). */
function isTemporary(candidate: string, name: string): boolean {
  return candidate.startsWith(`.${name}.`) && candidate.endsWith('.tmp');
}
