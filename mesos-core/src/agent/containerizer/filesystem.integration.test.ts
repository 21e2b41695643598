import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUndiciTransport, silentLogger, systemClock } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ContainerInfo, parseResources, type Resource } from '../../protocol/index.ts';
import { createVolumeDirectories, volumePath } from '../operations/volume-directories.ts';
import type { Container, Containerizer, LaunchRequest } from './containerizer.ts';
import { containerizerFromFlags } from './from-flags.ts';
import { makeBusyboxRootfs, makeImage, tarOf, writeLayout } from './testing/busybox.ts';

const isRoot = process.geteuid?.() === 0;
const IMAGE = (name: string): ContainerInfo => ({
  type: 'MESOS',
  mesos: { image: { type: 'DOCKER', docker: { name } } },
});

let directory: string;
let images: string;
let containerizer: Containerizer;
const started: Container[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'filesystem-'));
  images = join(directory, 'images');
  await makeBusyboxRootfs(join(images, 'busybox'));
  containerizer = await containerizerFromFlags(
    {
      ...{ workDir: directory, runtimeDir: undefined, launcher: 'posix' },
      isolation: 'filesystem/linux,namespaces/pid,namespaces/ipc,namespaces/uts',
      ...{ cgroupsRoot: 'mesos', cgroupsEnableCfs: false, cgroupsLimitSwap: false },
      ...{ cgroupsPidsMax: undefined, enforceContainerDiskQuota: false },
      ...{ containerDiskWatchIntervalMs: 1000, imageProviders: 'docker' },
      ...{ dockerStoreDir: undefined, dockerRegistry: images },
    },
    { clock: systemClock, logger: silentLogger, transport: createUndiciTransport() },
  );
});

afterEach(async () => {
  for (const container of started.splice(0)) {
    await container.kill();
    await container.exited;
    await container.forget();
  }
  await containerizer.close();
  const mounts = await readFile('/proc/mounts', 'utf8');
  expect(mounts).not.toContain(directory);
  // A container's supervisor may write how it ended at this moment.
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

async function launch(value: string, changes: Partial<LaunchRequest> = {}): Promise<Container> {
  const containerId = changes.containerId ?? 'c';
  const container = await containerizer.launch(
    {
      ...{ frameworkId: 'f', executorId: 'e', containerId, user: undefined },
      ...{ command: { value }, environment: { PATH: '/bin:/usr/bin' } },
      directory: join(directory, 'sandbox', containerId),
      resources: parseResources('cpus:1;mem:64'),
      ...changes,
    },
    async () => {
      for (const volume of changes.resources ?? []) await linkVolume(volume, containerId);
    },
  );
  started.push(container);
  return container;
}

async function linkVolume(volume: Resource, containerId: string): Promise<void> {
  await createVolumeDirectories(directory).link(
    volume,
    join(directory, 'sandbox', containerId),
    true,
  );
}

/** A persistent volume with a file in it. */
function volumeOf(id: string, mode: 'RW' | 'RO'): Resource {
  return {
    ...{ name: 'disk', type: 'SCALAR', scalar: { value: 1 } },
    reservations: [{ type: 'DYNAMIC', role: 'r' }],
    disk: { persistence: { id }, volume: { mode, container_path: id } },
  };
}

function output(name = 'stdout', containerId = 'c'): Promise<string> {
  return readFile(join(directory, 'sandbox', containerId, name), 'utf8');
}

describe.runIf(isRoot)('containers in namespaces', { timeout: 60_000 }, () => {
  it('see only their own processes, and end with their true status', async () => {
    const container = await launch('cat /proc/1/comm; ls -d /proc/[0-9]* | wc -l; exit 7');
    expect((await container.exited).status).toBe(7 << 8);
    const [init, count] = (await output()).trim().split('\n');
    expect(init).toBe('sh');
    expect(Number(count)).toBeLessThan(8);
    const killed = await launch('kill -TERM $$; sleep 100', { containerId: 'd' });
    expect((await killed.exited).status).toBe(15);
  });

  it('are ended by SIGTERM, and wholly by SIGKILL', async () => {
    const trap = 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    const container = await launch(trap);
    await expect.poll(() => output()).toBe('ready\n');
    await container.signal('SIGTERM');
    expect((await container.exited).status).toBe(3 << 8);
    const stubborn = await launch('trap "" TERM; sleep 1000 & sleep 1000', { containerId: 'd' });
    await stubborn.kill();
    expect((await stubborn.exited).status).toBe(9);
  });

  it('have a host name of their own', async () => {
    const container = await launch('hostname', { container: { type: 'MESOS', hostname: 'inner' } });
    await container.exited;
    expect(await output()).toBe('inner\n');
  });

  it('share the namespaces of the container that they are nested in', async () => {
    const parent = await launch('echo $$; sleep 1000');
    await expect.poll(() => output()).not.toBe('');
    const nested = await launch('readlink /proc/self/ns/pid; readlink /proc/1/ns/pid', {
      ...{ containerId: 'n', parentContainerId: 'c' },
    });
    expect((await nested.exited).status).toBe(0);
    const [own, first] = (await output('stdout', 'n')).trim().split('\n');
    expect(own).toBe(first);
    await parent.kill();
  });
});

describe.runIf(isRoot)('containers with images', { timeout: 60_000 }, () => {
  it('live in a root file system of their own, with their sandbox in it', async () => {
    const container = await launch('cat /etc/os-release; pwd; ls /; echo hi >file; touch /new', {
      container: IMAGE('busybox'),
    });
    expect(await container.exited).toEqual({ status: 0 });
    const lines = (await output()).trim().split('\n');
    expect(lines.slice(0, 2)).toEqual(['NAME=busybox', '/mnt/mesos/sandbox']);
    expect(lines).not.toContain('work');
    expect(await readFile(join(directory, 'sandbox', 'c', 'file'), 'utf8')).toBe('hi\n');
    await expect(readFile(join(images, 'busybox', 'new'))).rejects.toThrow('ENOENT');
  });

  it('run as their user', async () => {
    const container = await launch('id -u', { container: IMAGE('busybox'), user: 'nobody' });
    expect(await container.exited).toEqual({ status: 0 });
    expect(await output()).toBe('65534\n');
  });

  it('are made of layers, where a later one removes files of an earlier one', async () => {
    const upper = join(directory, 'upper');
    await mkdir(join(upper, 'etc'), { recursive: true });
    await writeFile(join(upper, 'etc', '.wh.os-release'), '');
    await writeFile(join(upper, 'etc', 'added'), 'added\n');
    await tarOf(join(images, 'busybox'), join(directory, 'base.tar'));
    await tarOf(upper, join(directory, 'upper.tar'));
    const config = {
      Env: ['PATH=/bin', 'A=1', 'B=1'],
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: ['env; ls /etc'],
    };
    const files = [join(directory, 'base.tar'), join(directory, 'upper.tar')];
    const image = await makeImage(files, config);
    await writeLayout(image, join(directory, 'layout'));
    await tarOf(join(directory, 'layout'), join(images, 'layered:1.tar'));
    const command = { environment: { variables: [{ name: 'B', value: '2' }] } };
    const container = await launch('', {
      ...{ container: IMAGE('layered:1'), command, environment: { B: '2', PATH: '/usr/bin' } },
    });
    expect(await container.exited).toEqual({ status: 0 });
    const lines = (await output()).trim().split('\n');
    expect(lines).toEqual(expect.arrayContaining(['A=1', 'B=2', 'PATH=/bin', 'added']));
    expect(lines).not.toContain('os-release');
  });

  it('have volumes of the host and of their sandbox', async () => {
    const host = join(directory, 'host');
    await mkdir(host);
    await writeFile(join(host, 'data'), 'data\n');
    const container = await launch('cat /data/data inner/x; touch /data/no; echo kept >own/kept', {
      container: {
        ...IMAGE('busybox'),
        volumes: [
          { mode: 'RO', container_path: '/data', host_path: host },
          {
            ...{ mode: 'RW', container_path: 'inner' },
            source: { type: 'HOST_PATH', host_path: { path: host } },
          },
          {
            ...{ mode: 'RW', container_path: 'own' },
            source: { type: 'SANDBOX_PATH', sandbox_path: { type: 'SELF', path: 'place' } },
          },
        ],
      },
    });
    expect((await container.exited).status).toBe(0);
    expect(await output()).toBe('data\n');
    expect(await output('stderr')).toContain('Read-only');
    expect(await readFile(join(directory, 'sandbox', 'c', 'place', 'kept'), 'utf8')).toBe('kept\n');
  });

  it('have volumes of files, and refuse those that are not there', async () => {
    const file = join(directory, 'one-file');
    await writeFile(file, 'one\n');
    const volume = (container_path: string, host_path: string) => ({
      container: {
        ...IMAGE('busybox'),
        volumes: [{ mode: 'RO' as const, container_path, host_path }],
      },
    });
    const container = await launch('cat /etc/one; echo no >/etc/one', volume('/etc/one', file));
    expect((await container.exited).status).not.toBe(0);
    expect(await output()).toBe('one\n');
    const missing = launch('true', { ...volume('/x', '/not/there'), containerId: 'd' });
    await expect(missing).rejects.toThrow(/'\/not\/there' of a volume is not there/);
  });

  it('find their persistent volumes in their sandbox, to read alone where that is said', async () => {
    const [data, fixed] = [volumeOf('data', 'RW'), volumeOf('fixed', 'RO')];
    for (const volume of [data, fixed]) {
      await createVolumeDirectories(directory).create(volume);
      await writeFile(join(volumePath(directory, volume), 'file'), 'old\n');
    }
    const container = await launch('cat fixed/file; echo new >data/file; echo no >fixed/file', {
      container: IMAGE('busybox'),
      resources: [data, fixed],
    });
    expect((await container.exited).status).not.toBe(0);
    expect(await output()).toBe('old\n');
    expect(await output('stderr')).toContain('Read-only');
    expect(await readFile(join(volumePath(directory, data), 'file'), 'utf8')).toBe('new\n');
    const plain = await launch('cat fixed/file; echo no >fixed/file', {
      ...{ containerId: 'd', resources: [fixed] },
    });
    expect((await plain.exited).status).not.toBe(0);
    expect(await output('stdout', 'd')).toBe('old\n');
    expect(await readFile(join(volumePath(directory, fixed), 'file'), 'utf8')).toBe('old\n');
  });

  it('may hold nested ones with volumes, with an image of their own, or in their root', async () => {
    const host = join(directory, 'host');
    await mkdir(host);
    await writeFile(join(host, 'data'), 'data\n');
    await makeBusyboxRootfs(join(images, 'other'));
    await writeFile(join(images, 'other', 'etc', 'os-release'), 'NAME=other\n');
    const volumes = [{ mode: 'RO' as const, container_path: '/data', host_path: host }];
    await launch('sleep 1000', { container: IMAGE('busybox') });
    const inside = join(directory, 'sandbox', 'c', 'containers');
    const show = 'cat /etc/os-release /data/data; pwd; ls /proc/1/exe >/dev/null && echo proc';
    const run = async (containerId: string, container: ContainerInfo) => {
      const nested = await launch(show, {
        ...{ containerId, parentContainerId: 'c', directory: join(inside, containerId) },
        container: { ...container, volumes },
      });
      expect(await nested.exited).toEqual({ status: 0 });
      const lines = await readFile(join(inside, containerId, 'stdout'), 'utf8');
      return lines.trim().split('\n');
    };
    const sandbox = '/mnt/mesos/sandbox';
    expect(await run('own', IMAGE('other'))).toEqual(['NAME=other', 'data', sandbox, 'proc']);
    const outer = ['NAME=busybox', 'data', `${sandbox}/containers/in-root`, 'proc'];
    expect(await run('in-root', { type: 'MESOS' })).toEqual(outer);
  });

  it('never write to the host by a link in their image', async () => {
    const outside = join(directory, 'outside');
    await mkdir(outside);
    await makeBusyboxRootfs(join(images, 'evil'));
    await symlink(outside, join(images, 'evil', 'mnt'));
    const container = await launch('true', { container: IMAGE('evil') });
    expect((await container.exited).status).toBe(125 << 8);
    expect(await readdir(outside)).toEqual([]);
  });

  it('are refused when there is no such image', async () => {
    const container = IMAGE('nothing');
    await expect(launch('true', { container })).rejects.toThrow(/can't get the image nothing/);
  });
});
