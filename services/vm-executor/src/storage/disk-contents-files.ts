import { spawn } from 'node:child_process';
import { copyFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { OperationId, VmId } from '@factory/contracts';
import { fileExists, hasErrorCode, syncToDisk } from '@factory/runtime';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { DiskContents } from './disk-contents.ts';
import { orStorageFailure } from './storage-errors.ts';

const DiskInfo = Type.Object({
  snapshots: Type.Optional(
    Type.Array(
      Type.Object({ name: Type.String(), 'date-sec': Type.Number(), 'date-nsec': Type.Number() }),
    ),
  ),
});

/** The contents of qcow2 disks, by qemu-img. It refuses what a running QEMU has open (its locks). */
export function createDiskContents(diskPath: (vmId: VmId) => string): DiskContents {
  const nvramPath = (vmId: VmId): string => join(dirname(diskPath(vmId)), 'nvram.fd');
  const keptPath = (vmId: VmId, tag: string): string =>
    join(dirname(diskPath(vmId)), `nvram.${tag}.fd`);
  const draftPath = (vmId: VmId, operationId: OperationId): string =>
    join(dirname(diskPath(vmId)), `image.${operationId}.partial`);
  const livePath = (vmId: VmId, operationId: OperationId): string =>
    join(dirname(diskPath(vmId)), `image.${operationId}.live.partial`);
  const convertedPath = (vmId: VmId, operationId: OperationId): string =>
    join(dirname(diskPath(vmId)), `image.${operationId}.off.partial`);

  const list: DiskContents['listDiskSnapshots'] = (vmId, signal) =>
    orStorageFailure('looking for snapshots', async () => {
      const args = ['info', '--force-share', '--output=json', diskPath(vmId)];
      const info = Value.Parse(DiskInfo, JSON.parse(await qemuImg(args, { signal })));
      return (info.snapshots ?? []).map((each) => ({
        tag: each.name,
        createdAtMs: Math.floor(each['date-sec'] * 1000 + each['date-nsec'] / 1e6),
      }));
    });
  const has = async (vmId: VmId, tag: string, signal?: AbortSignal): Promise<boolean> =>
    (await list(vmId, signal)).some((each) => each.tag === tag);
  const change = (what: string, flag: string) => async (vmId: VmId, tag: string, s?: AbortSignal) =>
    orStorageFailure(what, async () => {
      await qemuImg(['snapshot', flag, tag, diskPath(vmId)], { signal: s });
    });
  const [make, revert, remove] = [
    change('making the snapshot', '-c'),
    change('going back to the snapshot', '-a'),
    change('deleting the snapshot', '-d'),
  ];

  return {
    listDiskSnapshots: list,
    async snapshotDisk(vmId, tag, signal) {
      if (!(await has(vmId, tag, signal))) await make(vmId, tag, signal);
    },
    revertDisk: revert,
    async deleteDiskSnapshot(vmId, tag, signal) {
      if (await has(vmId, tag, signal)) await remove(vmId, tag, signal);
    },
    keepNvram: (vmId, tag) =>
      orStorageFailure("keeping the firmware's variables", () =>
        copyIfThere(nvramPath(vmId), keptPath(vmId, tag)),
      ),
    revertNvram: (vmId, tag) =>
      orStorageFailure("restoring the firmware's variables", () =>
        copyIfThere(keptPath(vmId, tag), nvramPath(vmId)),
      ),
    forgetNvram: (vmId, tag) =>
      orStorageFailure("removing the firmware's variables", () =>
        rm(keptPath(vmId, tag), { force: true }),
      ),
    imageDraftPath: draftPath,
    draftImage: (vmId, operationId, onProgress, signal) =>
      orStorageFailure('copying the disk', async () => {
        const to = convertedPath(vmId, operationId);
        await rm(to, { force: true });
        const args = ['convert', '-p', '-f', 'qcow2', '-O', 'qcow2', diskPath(vmId), to];
        await qemuImg(args, { signal, onProgress });
        await keepWhole(to, draftPath(vmId, operationId));
      }),
    liveCopyPath: livePath,
    keepLiveCopy: (vmId, operationId) =>
      orStorageFailure('keeping the copy', () =>
        keepWhole(livePath(vmId, operationId), draftPath(vmId, operationId)),
      ),
    imageDraft: (vmId, operationId) =>
      orStorageFailure('looking for the copy', async () => {
        if (await fileExists(draftPath(vmId, operationId))) return 'whole';
        return (await fileExists(livePath(vmId, operationId))) ? 'begun' : 'none';
      }),
    removeImageDraft: (vmId, operationId) =>
      orStorageFailure('removing the copy', async () => {
        for (const path of [livePath, convertedPath, draftPath]) {
          await rm(path(vmId, operationId), { force: true });
        }
      }),
  };
}

/** A power failure must not make an image of what never reached the disk (qemu-img does not flush). */
async function keepWhole(from: string, to: string): Promise<void> {
  await syncToDisk(from);
  await rename(from, to);
}

/** As a whole or not at all; nothing when there is nothing to copy. */
async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, `${to}.partial`);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return;
    throw error;
  }
  await rename(`${to}.partial`, to);
}

/** What qemu-img says. @throws Error with its words; the signal's reason. */
async function qemuImg(
  args: readonly string[],
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: (percent: number) => void;
  },
): Promise<string> {
  const { signal, onProgress } = options;
  const child = spawn('qemu-img', args, { stdio: ['ignore', 'pipe', 'pipe'], signal });
  const ended = Promise.withResolvers<number | null>();
  child.once('error', ended.reject).once('close', (code) => ended.resolve(code));
  if (onProgress !== undefined) {
    // "    (12.34/100%)\r"
    child.stdout.on('data', (chunk: Buffer) => {
      const percent = /.*\((\d+)/.exec(chunk.toString('latin1'))?.[1];
      if (percent !== undefined) onProgress(Number(percent));
    });
  }
  const [code, said, complaint] = await Promise.all([
    ended.promise,
    text(child.stdout),
    text(child.stderr),
  ]);
  if (code === 0) return said;
  throw new Error(complaint.trim() || `qemu-img ended with ${code}`);
}
