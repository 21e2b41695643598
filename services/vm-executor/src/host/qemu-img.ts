import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { DiskTools } from '../storage/disk-tools.ts';
import { writeSeedFile } from './seed.ts';

const execFileAsync = promisify(execFile);
const CREATE_TIMEOUT_MS = 30_000;

/** Disks by qemu-img, seeds by ourselves. */
export const qemuDiskTools: DiskTools = {
  async createOverlay({ path, basePath, baseFormat, sizeBytes, signal }) {
    const partial = `${path}.partial`;
    await rm(partial, { force: true });
    const backing = ['-b', basePath, '-F', baseFormat];
    const args = ['create', '-q', '-f', 'qcow2', ...backing, partial, String(sizeBytes)];
    await execFileAsync('qemu-img', args, { timeout: CREATE_TIMEOUT_MS, signal });
    signal?.throwIfAborted();
    await rename(partial, path);
  },
  writeSeed: writeSeedFile,
};
