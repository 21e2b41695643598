import { execFile } from 'node:child_process';
import { rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { DiskTools } from '../storage/disk-tools.ts';
import { writeSeedFile } from './seed.ts';

const execFileAsync = promisify(execFile);
const CREATE_TIMEOUT_MS = 30_000;
const GROW_TIMEOUT_MS = 60_000;
const infoSchema = Compile(Type.Object({ 'virtual-size': Type.Integer() }));

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
  async grow({ path, sizeBytes, signal }) {
    if ((await virtualSizeBytes(path, signal)) >= sizeBytes) return;
    const args = ['resize', '-q', '-f', 'qcow2', path, String(sizeBytes)];
    await execFileAsync('qemu-img', args, { timeout: GROW_TIMEOUT_MS, signal });
  },
  writeSeed: writeSeedFile,
};

async function virtualSizeBytes(path: string, signal: AbortSignal | undefined): Promise<number> {
  const args = ['info', '--output=json', '-f', 'qcow2', path];
  const { stdout } = await execFileAsync('qemu-img', args, { timeout: GROW_TIMEOUT_MS, signal });
  return infoSchema.Parse(JSON.parse(stdout))['virtual-size'];
}
