import type { VolumeId, VolumeMount } from '@factory/contracts';
import { type Clock, createRepeater, type Logger, type Repeater } from '@factory/runtime';
import type { VolumePort } from './port.ts';

/** How often it is looked which folders are over their quotas. */
const LOOK_EVERY_MS = 10_000;
const GIB = 1024 ** 3;

interface FolderQuotasOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly volumes: VolumePort;
  /** What the VMs of this host have. */
  readonly mounts: () => readonly VolumeMount[];
}

/**
 * Whether guests may write to each folder, by what was measured. One that nobody has measured, or that
 * has no quota, as before there were any, may be written to. Pure.
 */
export function mayBeWritten(
  mounts: readonly VolumeMount[],
  usage: ReadonlyMap<VolumeId, number>,
): ReadonlyMap<VolumeId, boolean> {
  const folders = mounts.filter(({ kind, readOnly }) => kind === 'directory' && !readOnly);
  return new Map(
    folders.map(({ volumeId, sizeGiB = Number.POSITIVE_INFINITY }) => [
      volumeId,
      (usage.get(volumeId) ?? 0) <= sizeGiB * GIB,
    ]),
  );
}

/** Refuses what the guests of this host write to folders that are over their quotas. */
export class FolderQuotas {
  readonly #options: FolderQuotasOptions;
  /** Folders that guests are known to be able to write to. */
  readonly #free = new Set<VolumeId>();
  readonly #repeater: Repeater;

  constructor(options: FolderQuotasOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#repeater = createRepeater({
      ...{ clock, intervalMs: LOOK_EVERY_MS, work: () => this.#look() },
      onError: (error) => logger.warn({ err: error }, 'quotas were not looked after'),
    });
  }

  start(): void {
    this.#repeater.start();
  }

  close(): void {
    this.#repeater.close();
  }

  async #look(): Promise<void> {
    const { logger, volumes, mounts } = this.#options;
    const all = mounts();
    if (!all.some(({ kind }) => kind === 'directory')) return;
    const allowed = mayBeWritten(all, await volumes.usage());
    for (const [volumeId, isAllowed] of allowed) {
      // Of one that is full the guests may be new each time.
      if (isAllowed && this.#free.has(volumeId)) continue;
      await volumes.allowWrites(volumeId, isAllowed);
      if (isAllowed) this.#free.add(volumeId);
      else if (this.#free.delete(volumeId)) {
        logger.warn({ volumeId }, 'a folder is over its quota: what is written to it is refused');
      }
    }
  }
}
