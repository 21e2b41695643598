import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  type Logger,
  type Timer,
  withDeadline,
  writeFileAtomic,
} from '@factory/runtime';
import {
  clientPid,
  type GlusterPlace,
  mountGluster,
  startGluster,
  stopGluster,
} from './gluster.ts';
import type { Layout } from './layout.ts';

/** What images and volumes lie on: a plain folder, or a GlusterFS volume of one brick. */
export const SHARED_STORAGES = ['folder', 'gluster'] as const;
export type SharedStorage = (typeof SHARED_STORAGES)[number];

/** How often the mount's client is looked for. */
const WATCH_INTERVAL_MS = 5_000;
const ANSWER_TIMEOUT_MS = 60_000;

/** Where images and volumes are on this kind of storage. Pure. */
export function layoutOn(layout: Layout, storage: SharedStorage | undefined): Layout {
  if (storage !== 'gluster') return layout;
  const { mountPoint } = placeOf(layout);
  return { ...layout, images: join(mountPoint, 'images'), volumes: join(mountPoint, 'volumes') };
}

/** Makes the storage be there, with its folders. */
export async function prepareSharedStorage(
  layout: Layout,
  storage: SharedStorage | undefined,
  clock: Clock,
): Promise<void> {
  if (storage === 'gluster') await startGluster({ ...placeOf(layout), clock });
  // A mount that hangs does not fail by itself.
  await withDeadline(clock, `an answer of ${layout.volumes}`, ANSWER_TIMEOUT_MS, async () => {
    for (const folder of [layout.images, layout.volumes]) await mkdir(folder, { recursive: true });
    // By this file it is told from an empty mount point.
    await writeFileAtomic(join(layout.volumes, '.factory-volumes'), '', { mode: 0o644 });
  });
}

/** Mounts it again when the mount's client has died; gives how to stop that. */
export function watchSharedStorage(
  layout: Layout,
  storage: SharedStorage | undefined,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): () => void {
  if (storage !== 'gluster') return () => undefined;
  const place = { ...placeOf(layout), clock };
  let timer: Timer | undefined;
  let isOver = false;
  const look = async (): Promise<void> => {
    if ((await clientPid(place)) !== undefined) return;
    logger.warn({ mountPoint: place.mountPoint }, 'the mount has lost its client; mounting again');
    await mountGluster(place);
  };
  const again = (): void => {
    if (isOver) return;
    timer = clock.after(WATCH_INTERVAL_MS, () => {
      look()
        .catch((error: unknown) => logger.error({ err: error }, 'the storage is not mounted'))
        .finally(again);
    });
  };
  again();
  return () => {
    isOver = true;
    timer?.cancel();
  };
}

/** Ends the storage's processes and takes its mount away, if it was ever started. */
export async function endSharedStorage(layout: Layout, clock: Clock): Promise<void> {
  const place = placeOf(layout);
  if (existsSync(place.directory)) await stopGluster({ ...place, clock });
}

/** Of the GlusterFS of this factory. Pure. */
export function placeOf({ data, instance }: Layout): Omit<GlusterPlace, 'clock'> {
  return {
    directory: join(data, 'gluster'),
    namespace: `factory-${instance}-gluster`,
    mountPoint: join(data, 'shared'),
  };
}
