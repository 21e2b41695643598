import { join } from 'node:path';
import { VOLUMES_USAGE, type VolumeId, VolumeIdSchema, type VolumeUsage } from '@factory/contracts';
import type { CallOptions, Clock, Logger, StorageHelper, Timer } from '@factory/runtime';
import { Value } from 'typebox/value';

/** How often what volumes take is measured. */
const MEASURE_INTERVAL_MS = 30_000;
const QUICK: CallOptions = { timeoutMs: 10_000 };
/** Volumes may hold millions of files. */
const WALK: CallOptions = { timeoutMs: 10 * 60_000 };
const WALK_LIMITS = { memoryBytesMax: 2 ** 31, cpuSMax: 600, fileBytesMax: 0 } as const;
const DROPPED = '.dropped-';

/** Looks after the files of a cluster's volumes; hosts only use them. */
export interface VolumeKeeper {
  /** What each takes; undefined before the first look, and after a drop until the next one. */
  usage(): readonly VolumeUsage[] | undefined;
  /** Their files go, in the background; what fails is tried again. Nobody may use them any more. */
  drop(volumeIds: readonly VolumeId[]): void;
  close(): void;
}

interface VolumeKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly helper: StorageHelper;
  /** `<folder>/<volumeId>/`, and `.factory-volumes`, without which it is an empty mount point. */
  readonly folder: string;
}

/** A keeper that begins at once. */
export function createVolumeKeeper(options: VolumeKeeperOptions): VolumeKeeper {
  return new FolderKeeper(options);
}

class FolderKeeper implements VolumeKeeper {
  readonly #options: VolumeKeeperOptions;
  readonly #toDrop = new Set<VolumeId>();
  #usage: readonly VolumeUsage[] | undefined;
  #timer: Timer | undefined;
  #isWorking = false;
  #isClosed = false;

  constructor(options: VolumeKeeperOptions) {
    this.#options = options;
    this.#workNow();
  }

  usage(): readonly VolumeUsage[] | undefined {
    return this.#usage;
  }

  drop(volumeIds: readonly VolumeId[]): void {
    for (const id of volumeIds) this.#toDrop.add(id);
    this.#usage = undefined;
    this.#workNow();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #workNow(): void {
    this.#timer?.cancel();
    // What was asked meanwhile is seen to right after.
    if (this.#isWorking || this.#isClosed) return;
    this.#isWorking = true;
    const { clock, logger } = this.#options;
    this.#work()
      .catch((error: unknown) => logger.warn({ err: error }, 'the volumes were not looked after'))
      .finally(() => {
        this.#isWorking = false;
        const pauseMs = this.#toDrop.size > 0 ? 1_000 : MEASURE_INTERVAL_MS;
        if (!this.#isClosed) this.#timer = clock.after(pauseMs, () => this.#workNow());
      });
  }

  async #work(): Promise<void> {
    const { helper, folder } = this.#options;
    const marker = { path: join(folder, '.factory-volumes') };
    if ((await helper.call('size', marker, QUICK)) === null) {
      throw new Error(`there is no storage for volumes in ${folder}: is it mounted?`);
    }
    for (const id of this.#toDrop) await this.#remove(id);
    const names = await helper.call('list', { path: folder }, QUICK);
    for (const name of names.filter((each) => each.startsWith(DROPPED))) {
      await helper.call('removeTree', { path: join(folder, name) }, WALK);
    }
    const usage = await this.#measure(names.filter((name) => Value.Check(VolumeIdSchema, name)));
    if (this.#toDrop.size === 0) this.#usage = usage;
    // By it hosts know which folders are over their quotas.
    const text = JSON.stringify(usage);
    await helper.call('writeText', { path: join(folder, VOLUMES_USAGE), text }, QUICK);
  }

  /** First out of sight: a removal that is cut off leaves nothing that looks like a volume. */
  async #remove(id: VolumeId): Promise<void> {
    const { helper, folder, logger } = this.#options;
    const names = await helper.call('list', { path: folder }, QUICK);
    const hidden = join(folder, `${DROPPED}${id}`);
    if (names.includes(id)) {
      await helper.call('removeTree', { path: hidden }, WALK);
      await helper.call('rename', { from: join(folder, id), to: hidden }, QUICK);
      logger.info({ volumeId: id }, 'a volume is removed');
    }
    await helper.call('removeTree', { path: hidden }, WALK);
    this.#toDrop.delete(id);
  }

  async #measure(ids: readonly string[]): Promise<readonly VolumeUsage[]> {
    const { helper, folder } = this.#options;
    if (ids.length === 0) return [];
    // What is removed by a guest meanwhile makes du complain, and count the rest.
    const args = ['-s', '-B1', '--', ...ids.map((id) => join(folder, id))];
    const { stdout } = await helper.call('run', { program: 'du', args, ...WALK_LIMITS }, WALK);
    return stdout.split('\n').flatMap((line) => {
      const [bytes, path = ''] = line.split('\t');
      const volumeId = path.slice(folder.length + 1);
      if (!Value.Check(VolumeIdSchema, volumeId)) return [];
      return [{ volumeId, usedBytes: Number(bytes) }];
    });
  }
}
