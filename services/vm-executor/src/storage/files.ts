import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageRef, type VmId, VmIdSchema } from '@factory/contracts';
import {
  BadJsonFileError,
  fileExists,
  hasErrorCode,
  type Logger,
  readJsonIfExists,
  syncToDisk,
  writeFileAtomic,
} from '@factory/runtime';
import { Value } from 'typebox/value';
import { createConsoleFiles } from './console-files.ts';
import { createDiskContents } from './disk-contents-files.ts';
import type { DiskTools } from './disk-tools.ts';
import type { ImageSource, VmStorage } from './port.ts';
import { orStorageFailure } from './storage-errors.ts';

/** QEMU runs as a user of its own, and must pass to the disks; the folders' lists are not for it. */
const FOLDER_MODE = 0o711;
const GIB = 1024 ** 3;
/** What virtlogd leaves of a log that it turned over (virtlogd.conf: max_backups = 3). */
const LOG_SUFFIXES = ['', '.0', '.1', '.2'] as const;

/**
 * The VMs' files on this host: `<host dir>/overlays/<vmId>/{record.json,disk.qcow2,seed.iso}`,
 * `<host dir>/leases/<vmId>.json` and `<host dir>/consoles/<vmId>.log`.
 */
export function createFileStorage(options: {
  readonly hostDir: string;
  readonly images: ImageSource;
  readonly logger: Logger;
  readonly tools: DiskTools;
}): VmStorage {
  const { hostDir, images, logger, tools } = options;
  const overlays = join(hostDir, 'overlays');
  const leases = join(hostDir, 'leases');
  const consoles = join(hostDir, 'consoles');
  const { consolePath, ...consoleFiles } = createConsoleFiles(consoles, logger);
  const folderOf = (vmId: VmId): string => join(overlays, vmId);
  const recordPath = (vmId: VmId): string => join(folderOf(vmId), RECORD);
  const diskPath = (vmId: VmId): string => join(folderOf(vmId), 'disk.qcow2');
  const newDiskPath = (vmId: VmId): string => join(folderOf(vmId), 'disk.new.qcow2');
  const seedPath = (vmId: VmId): string => join(folderOf(vmId), SEED);
  const leasePath = (vmId: VmId): string => join(leases, `${vmId}.json`);

  const makeDisk: MakeDisk = async (path, ref, sizeGiB, signal) => {
    const image = await images.acquire(ref, signal);
    try {
      signal?.throwIfAborted();
      await tools.createOverlay({
        path,
        basePath: image.path,
        baseFormat: image.format,
        // A disk smaller than its image would be cut off.
        sizeBytes: Math.max(sizeGiB * GIB, image.virtualSizeBytes),
        signal,
      });
    } finally {
      image.release();
    }
  };

  return {
    ...consoleFiles,
    ...createDiskContents(diskPath),
    async prepare() {
      for (const folder of [overlays, leases, consoles]) {
        await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      }
    },
    findImage: (ref) => images.describe(ref),
    readVm: (vmId) =>
      orStorageFailure('reading the record', async () => {
        const names = (await namesIn(folderOf(vmId))) ?? [];
        const record = await readJsonIfExists(recordPath(vmId)).catch((error: unknown) => {
          if (!(error instanceof BadJsonFileError)) throw error;
          logger.error({ err: error, vmId }, 'a record is spoilt');
          return undefined;
        });
        return { record, holdsData: names.some(isIrreplaceable) };
      }),
    setRecordAside: (vmId) =>
      orStorageFailure('setting the record aside', async () => {
        const path = recordPath(vmId);
        await rename(path, `${path}.unreadable`).catch((error: unknown) => {
          if (!hasErrorCode(error, 'ENOENT')) throw error;
        });
      }),
    writeRecord: (record, { durable }) =>
      orStorageFailure('writing the record', async () => {
        await mkdir(folderOf(record.vmId), { recursive: true, mode: FOLDER_MODE });
        const text = JSON.stringify(record);
        await writeFileAtomic(recordPath(record.vmId), text, { fsync: durable });
      }),
    listVms: () => listIds(overlays, ''),
    writeLease: (lease) =>
      orStorageFailure('writing the lease', () =>
        writeFileAtomic(leasePath(lease.vmId), JSON.stringify(lease), { fsync: false }),
      ),
    removeLease: (vmId) =>
      orStorageFailure('removing the lease', () => rm(leasePath(vmId), { force: true })),
    listLeases: () => listIds(leases, '.json'),
    hasDisk: (vmId) => orStorageFailure('looking for the disk', () => fileExists(diskPath(vmId))),
    createDisk: (vmId, ref, sizeGiB, signal) =>
      orStorageFailure('making the disk', async () => {
        // First: a disk that is there needs no image.
        if (await fileExists(diskPath(vmId))) return;
        await makeDisk(diskPath(vmId), ref, sizeGiB, signal);
      }),
    createNewDisk: (vmId, ref, sizeGiB, signal) =>
      orStorageFailure('making the new disk', async () => {
        await rm(newDiskPath(vmId), { force: true });
        await makeDisk(newDiskPath(vmId), ref, sizeGiB, signal);
        // It takes the place of one that its user may have years of work on.
        await syncToDisk(newDiskPath(vmId));
      }),
    useNewDisk: (vmId) =>
      orStorageFailure('using the new disk', () =>
        rename(newDiskPath(vmId), diskPath(vmId)).catch((error: unknown) => {
          if (!hasErrorCode(error, 'ENOENT')) throw error;
        }),
      ),
    dropNewDisk: (vmId) =>
      orStorageFailure('removing the new disk', () => rm(newDiskPath(vmId), { force: true })),
    growDisk: (vmId, sizeGiB, signal) =>
      orStorageFailure('growing the disk', () =>
        tools.grow({ path: diskPath(vmId), sizeBytes: sizeGiB * GIB, signal }),
      ),
    writeSeed: (vmId, seed) =>
      orStorageFailure('writing the seed', () => tools.writeSeed(seedPath(vmId), seed)),
    removeVm: (vmId, signal) =>
      orStorageFailure('removing the files', async () => {
        for (const suffix of LOG_SUFFIXES) {
          await rm(`${consolePath(vmId)}${suffix}`, { force: true });
        }
        signal?.throwIfAborted();
        await removeFolder(folderOf(vmId));
      }),
    paths: (vmId) => ({
      diskPath: diskPath(vmId),
      seedPath: seedPath(vmId),
      consolePath: consolePath(vmId),
    }),
  };
}

/** The record goes last: as long as anything is left, it is known whose it is. */
async function removeFolder(folder: string): Promise<void> {
  const names = await namesIn(folder);
  if (names === undefined) return;
  const recordLast = names.toSorted((a, b) => Number(a === RECORD) - Number(b === RECORD));
  for (const name of recordLast) await rm(join(folder, name), { force: true });
  await rmdir(folder);
}

type MakeDisk = (
  path: string,
  ref: ImageRef,
  sizeGiB: number,
  signal: AbortSignal | undefined,
) => Promise<void>;

const RECORD = 'record.json';
const SEED = 'seed.iso';

/** All but the record itself, the seed that is made from it, and what was never finished. */
function isIrreplaceable(name: string): boolean {
  return !(name.startsWith(RECORD) || name === SEED || /\.(tmp|partial)$/.test(name));
}

/** What is in the folder; undefined when there is none. */
async function namesIn(folder: string): Promise<readonly string[] | undefined> {
  return readdir(folder).catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  });
}

async function listIds(folder: string, suffix: string): Promise<readonly VmId[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, name.length - suffix.length))
    .filter((id): id is VmId => Value.Check(VmIdSchema, id));
}
