import { type FileHandle, mkdir, open, readFile, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import {
  hasErrorCode,
  identifyProcess,
  isSameProcessAlive,
  type Logger,
  type ProcessIdentity,
  readJsonIfExists,
  writeFileAtomic,
} from '@factory/runtime';
import {
  type Change,
  CheckpointClosedError,
  CheckpointCorruptError,
  CheckpointInUseError,
  type CheckpointStore,
} from './checkpoint-store.ts';
import { decodeJournal, encodeRecord } from './journal-record.ts';

/** Where and how {@link createFileCheckpointStore} keeps its journal. */
export interface FileCheckpointOptions {
  /** Made when missing; holds `journal` and `owner.json`, both for the owner's eyes only. */
  readonly directory: string;
  readonly logger: Logger;
  /** `false`: go on with what precedes a damaged record, and keep the damaged journal aside. */
  readonly strict?: boolean;
  /** The journal is rewritten when it has more bytes than this and mostly old values. */
  readonly compactAboveBytes?: number;
}

const COMPACT_ABOVE_BYTES = 4 * 1024 * 1024;
/** The journal may be this many times as large as the values that still count. */
const GARBAGE_FACTOR = 4;

interface PendingCommit {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A journal with group commit: changes are appended, and all commits that wait while the disk
 * syncs share the next write and its one fdatasync. So twenty launches cost two syncs, not sixty.
 */
export function createFileCheckpointStore(options: FileCheckpointOptions): CheckpointStore {
  return new FileCheckpointStore(options);
}

class FileCheckpointStore implements CheckpointStore {
  readonly #options: FileCheckpointOptions;
  readonly #path: string;
  /** Each key's current value, as it stands in the journal. */
  #live = new Map<string, unknown>();
  #file: FileHandle | undefined;
  #journalBytes = 0;
  #compactedBytes = 0;
  #pending: PendingCommit[] = [];
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(options: FileCheckpointOptions) {
    this.#options = options;
    this.#path = join(options.directory, 'journal');
  }

  async load(): Promise<ReadonlyMap<string, unknown>> {
    const { directory, logger, strict = true } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await takeOwnership(directory);
    const content = decodeJournal(await readIfExists(this.#path));
    if (content.damage === 'corrupt') {
      if (strict) {
        const what = `the record at byte ${content.goodBytes} is damaged and others follow it`;
        throw new CheckpointCorruptError(this.#path, what);
      }
      logger.error({ path: this.#path, atByte: content.goodBytes }, 'journal damaged; kept aside');
      await rename(this.#path, `${this.#path}.damaged`);
    } else if (content.damage === 'torn') {
      logger.warn({ path: this.#path, atByte: content.goodBytes }, 'dropping a torn last record');
      await truncate(this.#path, content.goodBytes);
    }
    this.#live = content.values;
    await this.#compact();
    return new Map(this.#live);
  }

  commit(changes: readonly Change[]): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#file === undefined) return Promise.reject(new CheckpointClosedError());
    if (changes.length === 0) return this.#writing ?? Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#pending.push({ changes, resolve, reject });
      this.#writing ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#failure ??= new CheckpointClosedError();
    await this.#file?.close();
    this.#file = undefined;
  }

  async #drain(): Promise<void> {
    // Commits of the same turn of the event loop join the first write.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#append(batch.flatMap((commit) => commit.changes));
        for (const commit of batch) commit.resolve();
      } catch (error) {
        this.#failure = error;
        for (const commit of [...batch, ...this.#pending]) commit.reject(error);
        this.#pending = [];
      }
    }
    this.#writing = undefined;
  }

  async #append(changes: readonly Change[]): Promise<void> {
    if (this.#file === undefined) throw new CheckpointClosedError();
    for (const [key, value] of changes) {
      if (value === undefined) this.#live.delete(key);
      else this.#live.set(key, value);
    }
    const { compactAboveBytes = COMPACT_ABOVE_BYTES } = this.#options;
    const limit = Math.max(compactAboveBytes, this.#compactedBytes * GARBAGE_FACTOR);
    if (this.#journalBytes > limit) {
      await this.#compact();
      return;
    }
    const record = Buffer.from(encodeRecord(changes));
    await this.#file.appendFile(record);
    await this.#file.datasync();
    this.#journalBytes += record.byteLength;
  }

  /** Replaces the journal by one that holds just the current values. */
  async #compact(): Promise<void> {
    const records = Array.from(this.#live, ([key, value]) => encodeRecord([[key, value]]));
    await writeFileAtomic(this.#path, records.join(''));
    await this.#file?.close();
    this.#file = await open(this.#path, 'a');
    this.#journalBytes = (await this.#file.stat()).size;
    this.#compactedBytes = this.#journalBytes;
  }
}

async function readIfExists(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
}

/** Two agents on one journal would overwrite each other: the first one that is alive keeps it. */
async function takeOwnership(directory: string): Promise<void> {
  const path = join(directory, 'owner.json');
  const owner = (await readJsonIfExists(path)) as ProcessIdentity | undefined;
  if (owner !== undefined && owner.pid !== process.pid && (await isSameProcessAlive(owner))) {
    throw new CheckpointInUseError(directory, owner.pid);
  }
  await writeFileAtomic(path, JSON.stringify(await identifyProcess(process.pid)));
}
