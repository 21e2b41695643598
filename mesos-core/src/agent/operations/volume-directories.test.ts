import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Resource, ResourceDiskInfoSource } from '../../protocol/index.ts';
import {
  createVolumeDirectories,
  type VolumeDirectories,
  volumePath,
} from './volume-directories.ts';

let workDir: string;
let sandbox: string;
let volumes: VolumeDirectories;

beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'volumes-'));
  sandbox = join(workDir, 'sandbox');
  await mkdir(sandbox);
  volumes = createVolumeDirectories(workDir);
});

afterEach(() => rm(workDir, { recursive: true }));

function volume(source?: ResourceDiskInfoSource, container_path = 'data'): Resource {
  return {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 10 },
    reservations: [{ type: 'DYNAMIC', role: 'eng/ui' }],
    disk: {
      ...(source === undefined ? {} : { source }),
      persistence: { id: 'v1' },
      volume: { container_path, mode: 'RW' },
    },
  };
}

describe('where volumes lie', () => {
  it.each<[string, ResourceDiskInfoSource | undefined, string]>([
    ['the work directory', undefined, '/work/volumes/roles/eng ui/v1'],
    ['a PATH disk', { type: 'PATH', path: { root: '/d1' } }, '/d1/volumes/roles/eng ui/v1'],
    ['one below it', { type: 'PATH', path: { root: 'd1' } }, '/work/d1/volumes/roles/eng ui/v1'],
    ['a MOUNT disk', { type: 'MOUNT', mount: { root: '/d2' } }, '/d2'],
  ])('%s', (_name, source, path) => {
    expect(volumePath('/work', volume(source))).toBe(path);
  });
});

describe('a volume', () => {
  it('appears in sandboxes and keeps what is in it', async () => {
    await volumes.create(volume());
    await volumes.link(volume(undefined, 'a/data'), sandbox, false);
    await writeFile(join(sandbox, 'a/data/file'), 'kept');
    await volumes.create(volume());
    expect(await readFile(join(volumePath(workDir, volume()), 'file'), 'utf8')).toBe('kept');
    expect(await readlink(join(sandbox, 'a/data'))).toBe(volumePath(workDir, volume()));
  });

  it('is linked again after a crash', async () => {
    await volumes.create(volume());
    await volumes.link(volume(), sandbox, false);
    await volumes.link(volume(), sandbox, true);
    expect((await lstat(join(sandbox, 'data'))).isSymbolicLink()).toBe(true);
  });

  it('leaves the sandbox when it is told to, and nothing else does', async () => {
    await volumes.create(volume());
    await volumes.unlink(volume(), sandbox);
    await volumes.link(volume(), sandbox, false);
    await volumes.unlink(volume(), sandbox);
    await writeFile(join(sandbox, 'data'), 'mine');
    await volumes.unlink(volume(), sandbox);
    expect(await readdir(sandbox)).toEqual(['data']);
  });

  it('belongs to the owner of the sandbox', async () => {
    await volumes.create(volume());
    await volumes.link(volume(), sandbox, false);
    const [ours, theirs] = await Promise.all([stat(volumePath(workDir, volume())), stat(sandbox)]);
    expect([ours.uid, ours.gid]).toEqual([theirs.uid, theirs.gid]);
  });

  it.each(['/etc', '..', '../x', '.', '', 'a/../..'])('never lies outside: %s', async (path) => {
    await volumes.create(volume());
    const linked = volumes.link(volume(undefined, path), sandbox, false);
    await expect(linked).rejects.toMatchObject({ code: 'MESOS_ERR_VOLUME' });
  });

  it('takes no place that is taken', async () => {
    await volumes.create(volume());
    await writeFile(join(sandbox, 'data'), '');
    const linked = volumes.link(volume(), sandbox, false);
    await expect(linked).rejects.toThrow(/is there already, and is not the volume/);
  });

  it('that was not made can not be used', async () => {
    await expect(volumes.link(volume(), sandbox, false)).rejects.toThrow(/can't use the volume/);
  });

  it('is gone with all it holds when it is removed, however often', async () => {
    await volumes.create(volume());
    await writeFile(join(volumePath(workDir, volume()), 'file'), '');
    await volumes.remove(volume());
    await volumes.remove(volume());
    expect(await readdir(join(workDir, 'volumes/roles/eng ui'))).toEqual([]);
  });

  it('on a MOUNT disk leaves an empty disk behind', async () => {
    const source = { type: 'MOUNT' as const, mount: { root: join(workDir, 'disk') } };
    await expect(volumes.create(volume(source))).rejects.toThrow(/can't use the volume/);
    await mkdir(join(workDir, 'disk/sub'), { recursive: true });
    await volumes.create(volume(source));
    await volumes.remove(volume(source));
    expect(await readdir(join(workDir, 'disk'))).toEqual([]);
  });
});
