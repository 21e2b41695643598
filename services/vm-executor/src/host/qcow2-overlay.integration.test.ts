import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { qcow2Overlay } from './qcow2-overlay.ts';

const run = promisify(execFile);
const GIB = 1024 ** 3;

/** What QEMU's own tool says of the file; nobody else's word counts. */
describe('qcow2Overlay, as qemu-img sees it', () => {
  let folder = '';
  let basePath = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'factory-qcow2-'));
    basePath = join(folder, 'base image.qcow2');
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', basePath, '1M']);
    await run('qemu-io', ['-c', 'write -P 7 0 64k', basePath]);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const overlay = async (sizeBytes: number): Promise<string> => {
    const path = join(folder, `${sizeBytes}.qcow2`);
    await writeFile(path, qcow2Overlay({ basePath, sizeBytes }));
    return path;
  };

  it.each([512, 2 ** 20, GIB / 2, GIB / 2 + 512, 10 * GIB, 5 * 1024 * GIB])(
    'has no errors and leaks nothing at %d bytes',
    async (sizeBytes) => {
      const { stdout } = await run('qemu-img', ['check', '--output=json', await overlay(sizeBytes)]);
      const report = JSON.parse(stdout);
      expect(report).toMatchObject({ 'check-errors': 0, format: 'qcow2' });
      expect(report).not.toHaveProperty('leaks');
      expect(report).not.toHaveProperty('corruptions');
    },
  );

  it('names its size, its base and the format of that', async () => {
    const { stdout } = await run('qemu-img', ['info', '--output=json', await overlay(10 * GIB)]);
    expect(JSON.parse(stdout)).toMatchObject({
      format: 'qcow2',
      'virtual-size': 10 * GIB,
      'cluster-size': 65536,
      'backing-filename': basePath,
      'backing-filename-format': 'qcow2',
    });
  });

  it('reads from the base, keeps what is written, and stays sound', async () => {
    const path = await overlay(2 * GIB);
    const { stdout } = await run('qemu-io', [
      ...['-c', 'read -P 7 0 64k'],
      ...['-c', 'read -P 0 64k 64k'],
      ...['-c', 'write -P 9 1500M 1M'],
      ...['-c', 'write -P 5 512 512'],
      ...['-c', 'read -P 5 512 512', '-c', 'read -P 7 1024 512', '-c', 'read -P 9 1500M 1M'],
      path,
    ]);
    expect(stdout).not.toMatch(/verification failed|error/i);
    await run('qemu-img', ['check', '-q', path]);
    await run('qemu-io', ['-r', '-c', 'read -P 7 0 64k', basePath]);
  });
});
