import type { Clock, Timer } from '../clock.ts';
import { hasErrorCode } from '../files.ts';
import type { Logger } from '../log.ts';
import { HelperProcess } from './helper-process.ts';
import type { CopyProgress } from './operations.ts';
import type { OperationName, OperationParams, OperationResult } from './protocol.ts';

/** How long a piece of work may take, and who listens. */
export interface CallOptions {
  /** From the call to its result, waiting for a free helper included. */
  readonly timeoutMs: number;
  /** The longest silence of work that tells its progress; by default `timeoutMs`. */
  readonly silenceMs?: number;
  readonly onProgress?: (progress: CopyProgress) => void;
  /** Whoever asked no longer wants it: the helper is killed. */
  readonly signal?: AbortSignal;
}

/**
 * All access to storage that may hang (a network mount) goes through here: the work is done by
 * processes of its own, so that a hung mount takes neither this process' threads (libuv has four for
 * all files) nor its end. A helper that does not answer in time is killed and, as a process in
 * uninterruptible sleep is not ended by that, abandoned; another takes its place.
 */
export interface StorageHelper {
  /**
   * Does a piece of work in a helper.
   * @throws StorageHangsError at the deadline, or at once when all helpers hang; StorageError with
   * the system's code when the work failed; the signal's reason.
   */
  call<K extends OperationName>(
    name: K,
    params: OperationParams<K>,
    options: CallOptions,
  ): Promise<OperationResult<K>>;
  /** Ends the helpers; work under way fails. */
  close(): void;
}

/** Storage did not answer in time. */
export class StorageHangsError extends Error {
  readonly code = 'FACTORY_ERR_STORAGE_HANGS';
  constructor(what: string) {
    super(`The storage does not answer: ${what}`);
    this.name = 'StorageHangsError';
  }
}

/** A piece of work on storage failed; `code` is the system's, such as `ENOENT`, where it has one. */
export class StorageError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'StorageError';
    this.code = code;
  }
}

const PROCESSES_MAX = 4;
/** A helper takes 74 MB, shared pages counted: one that has nothing to do is not kept. */
const IDLE_END_MS = 30_000;

interface StorageHelperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Helpers at a time, those that hang included; 4 by default. */
  readonly processesMax?: number;
  /** Ends a process and what it started; a test puts a helper in its place that can't be ended. */
  readonly kill?: (processGroup: number) => void;
}

/** Helpers on demand; none runs until the first call. */
export function createStorageHelper(options: StorageHelperOptions): StorageHelper {
  return new HelperPool(options);
}

interface Waiter {
  readonly resolve: (helper: HelperProcess) => void;
  readonly reject: (error: Error) => void;
}

class HelperPool implements StorageHelper {
  readonly #options: StorageHelperOptions;
  readonly #live = new Set<HelperProcess>();
  readonly #abandoned = new Set<HelperProcess>();
  readonly #idle: { readonly helper: HelperProcess; readonly endTimer: Timer }[] = [];
  readonly #waiting = new Set<Waiter>();
  #isClosed = false;

  constructor(options: StorageHelperOptions) {
    this.#options = options;
  }

  async call<K extends OperationName>(
    name: K,
    params: OperationParams<K>,
    options: CallOptions,
  ): Promise<OperationResult<K>> {
    const { timeoutMs, signal } = options;
    const { clock } = this.#options;
    signal?.throwIfAborted();
    const { promise: cut, reject } = Promise.withResolvers<never>();
    cut.catch(ignore);
    const late = (): void => reject(new StorageHangsError(`${name} took over ${timeoutMs} ms`));
    const timer = clock.after(timeoutMs, late);
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const helper = await this.#take(cut);
      // protocol.ts says what comes back for a name.
      return (await this.#work(helper, { name, params }, options, cut)) as OperationResult<K>;
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { endTimer } of this.#idle.splice(0)) endTimer.cancel();
    for (const helper of this.#live) this.#abandon(helper);
    const error = new StorageError('FACTORY_ERR_STORAGE', 'the storage helpers are ended');
    for (const { reject } of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  async #take(cut: Promise<never>): Promise<HelperProcess> {
    if (this.#isClosed) throw new StorageError('FACTORY_ERR_STORAGE', 'no helpers any more');
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      idle.endTimer.cancel();
      return idle.helper;
    }
    if (this.#live.size < this.#max) return this.#spawn();
    if (this.#abandoned.size === this.#live.size) {
      throw new StorageHangsError(`${this.#abandoned.size} helpers can not be ended`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<HelperProcess>();
    const waiter = { resolve, reject };
    this.#waiting.add(waiter);
    try {
      return await Promise.race([promise, cut]);
    } catch (error) {
      // One that was handed over in the very moment goes to the next.
      if (!this.#waiting.delete(waiter)) promise.then((helper) => this.#give(helper), ignore);
      throw error;
    }
  }

  get #max(): number {
    return this.#options.processesMax ?? PROCESSES_MAX;
  }

  #spawn(): HelperProcess {
    const helper: HelperProcess = new HelperProcess(() => this.#gone(helper));
    this.#live.add(helper);
    return helper;
  }

  async #work(
    helper: HelperProcess,
    request: { readonly name: OperationName; readonly params: unknown },
    options: CallOptions,
    cut: Promise<never>,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const watch = watchSilence(this.#options.clock, request.name, options, reject);
    helper.send(request, {
      onWord: (word) => {
        if (word.kind === 'progress') {
          watch.heard();
          options.onProgress?.(word.progress);
          return;
        }
        this.#give(helper);
        if (word.kind === 'result') resolve(word.value);
        else reject(new StorageError(word.code, word.message));
      },
      onExit: () => reject(new StorageError('FACTORY_ERR_STORAGE', 'the storage helper died')),
    });
    try {
      return await Promise.race([promise, cut]);
    } catch (error) {
      if (!(error instanceof StorageError)) {
        this.#options.logger.warn({ err: error, pid: helper.pid }, 'a storage helper is given up');
        this.#abandon(helper);
      }
      throw error;
    } finally {
      watch.end();
    }
  }

  /** A helper is free: it goes to who waits longest. */
  #give(helper: HelperProcess): void {
    if (this.#abandoned.has(helper) || !this.#live.has(helper)) return;
    const [next] = this.#waiting;
    if (next !== undefined) {
      this.#waiting.delete(next);
      next.resolve(helper);
      return;
    }
    const endTimer = this.#options.clock.after(IDLE_END_MS, () => {
      const index = this.#idle.findIndex((idle) => idle.helper === helper);
      if (index >= 0) this.#idle.splice(index, 1);
      this.#abandon(helper);
    });
    this.#idle.push({ helper, endTimer });
  }

  #abandon(helper: HelperProcess): void {
    if (this.#abandoned.has(helper)) return;
    this.#abandoned.add(helper);
    helper.abandon(this.#options.kill ?? killGroup);
    if (this.#abandoned.size < this.#live.size || this.#live.size < this.#max) return;
    const error = new StorageHangsError(`${this.#abandoned.size} helpers can not be ended`);
    for (const waiter of this.#waiting) waiter.reject(error);
    this.#waiting.clear();
  }

  /** A process has ended, by itself or as it was told: there is room for another. */
  #gone(helper: HelperProcess): void {
    this.#live.delete(helper);
    this.#abandoned.delete(helper);
    const index = this.#idle.findIndex((idle) => idle.helper === helper);
    if (index >= 0) this.#idle.splice(index, 1)[0]?.endTimer.cancel();
    if (this.#waiting.size > 0 && !this.#isClosed) this.#give(this.#spawn());
  }
}

function ignore(): void {}

/** Rejects when work that tells its progress has been silent for too long. */
function watchSilence(
  clock: Clock,
  name: string,
  { silenceMs }: CallOptions,
  reject: (error: Error) => void,
): { heard(): void; end(): void } {
  if (silenceMs === undefined) return { heard: ignore, end: ignore };
  const silent = (): void =>
    reject(new StorageHangsError(`${name} was silent for ${silenceMs} ms`));
  let timer = clock.after(silenceMs, silent);
  return {
    heard() {
      timer.cancel();
      timer = clock.after(silenceMs, silent);
    },
    end: () => timer.cancel(),
  };
}

function killGroup(processGroup: number): void {
  try {
    process.kill(-processGroup, 'SIGKILL');
  } catch (error) {
    // It has ended meanwhile.
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}
