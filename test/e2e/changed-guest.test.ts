import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Operation, Vm } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostDirectory } from '../../cli/src/supervisor/layout.ts';
import { typed } from '../support/guest-shell.ts';
import { makeVolume, pings, type RealFactory, startRealFactory } from '../support/real-factory.ts';
import { filesWith, processesWith } from '../support/secret-search.ts';

const TIMEOUT_MS = 240_000;
const READY_TIMEOUT_MS = 120_000;
const PASSWORD = 'in-no-file:of-the-Factory';
const PUBLIC_KEY = `ssh-ed25519 ${'A'.repeat(68)} somebody`;
const run = promisify(execFile);

describe('a real guest that is changed', { timeout: TIMEOUT_MS }, () => {
  let factory: RealFactory;
  let vm: Vm;

  beforeAll(async () => {
    factory = await startRealFactory();
    const size = ['--image', 'micro', '--count', '1', '--vcpus', '1', '--memory', '128'];
    await factory.run('batch', 'create', '--name', 'solo', ...size, '--wait');
    vm = await factory.client.findVm('solo-1');
  }, TIMEOUT_MS);

  afterAll(() => factory?.remove(), TIMEOUT_MS);

  const vmNow = () => factory.client.vm(vm.id);
  /** Its shell answers from then on. */
  const untilReady = () =>
    waitFor(systemClock, 'the guest to be ready', READY_TIMEOUT_MS, async () =>
      (await vmNow()).guestReady ? true : undefined,
    );

  it('is suspended, and goes on from where it was, although its executor was killed', async () => {
    const before = await uptimeInside(vm);
    await factory.run('vm', 'suspend', 'solo-1', '--wait');
    process.kill(await executorOf(factory), 'SIGKILL');
    await factory.run('vm', 'resume', 'solo-1', '--wait', '--timeout', '200');
    // A guest that had booted again would have begun at 0, and has been on for a moment only.
    const after = await uptimeInside(vm);
    expect(after).toBeGreaterThan(before);
    expect(await bootsOf(factory, vm)).toBe(1);
    expect(await pings(factory, vm, 60)).toBe(true);
  });

  it('is given another size while it is off, and has that when it is on', async () => {
    await factory.run('vm', 'stop', 'solo-1', '--wait');
    const size = ['--vcpus', '2', '--memory', '160', '--disk', '3'];
    await factory.run('vm', 'resize', 'solo-1', ...size);
    expect(await vmNow()).toMatchObject({
      ...{ state: 'stopped', vcpus: 2, memoryMiB: 160, diskGiB: 3 },
    });
    await factory.run('vm', 'start', 'solo-1', '--wait');
    await untilReady();
    expect(await typed(vm, 'cat /sys/block/vda/size')).toMatch(/^6291456$/m);
    expect(await typed(vm, 'ls -d /sys/devices/system/cpu/cpu1')).toMatch(/^\/sys.*cpu1$/m);
  });

  it('is given a disk while it runs, and is rid of it, and what was written is kept', async () => {
    const disk = { name: 'late', kind: 'block', sizeGiB: 1 } as const;
    await makeVolume(factory, disk);
    await factory.run('vm', 'attach', 'solo-1', 'late');
    expect(await typed(vm, 'cat /sys/block/vdc/serial; echo')).toMatch(/^late$/m);
    await typed(vm, 'mkdir -p /mnt && mount -t ext4 /dev/vdc /mnt && echo kept > /mnt/file');
    await typed(vm, 'sync; umount /mnt');
    await factory.run('vm', 'detach', 'solo-1', 'late');
    expect(await typed(vm, 'ls /sys/block')).not.toContain('vdc');
    expect((await factory.client.findVolume('late')).machines).toBe(0);
    await factory.run('vm', 'attach', 'solo-1', 'late');
    expect(await typed(vm, 'mount -t ext4 /dev/vdc /mnt; cat /mnt/file')).toMatch(/^kept$/m);
    await typed(vm, 'umount /mnt');
  });

  it('is rebuilt while it runs: it keeps its address, loses what was on its disk, and runs', async () => {
    await typed(vm, 'echo mine > /root-file && sync');
    await factory.run('vm', 'rebuild', 'solo-1', '--image', 'micro');
    const { state, ipAddress, macAddress, hostName } = await vmNow();
    expect({ state, ipAddress, macAddress, hostName }).toEqual({
      ...{ state: 'running', ipAddress: vm.ipAddress },
      ...{ macAddress: vm.macAddress, hostName: vm.hostName },
    });
    await untilReady();
    expect(await pings(factory, vm, 60)).toBe(true);
    expect(await typed(vm, 'cat /root-file')).not.toMatch(/^mine$/m);
  });

  it('is given a password and a key by its agent', async () => {
    const request = { user: 'root', password: PASSWORD };
    const done = await untilDone(factory, vm, 'setPassword', request, async () => {
      expect(await processesWith(PASSWORD)).toEqual([]);
    });
    expect(JSON.stringify(done)).not.toContain(PASSWORD);
    await untilDone(factory, vm, 'addSshKey', { user: 'root', publicKey: PUBLIC_KEY });
    const files = await typed(vm, 'cat /etc/passwd /root/.ssh/authorized_keys');
    expect(files).toContain(PUBLIC_KEY);
    const [, hash = '', salt = ''] = /^root:(\$6\$([^$]+)\$[^:]+):/m.exec(files) ?? [];
    expect(hash).toBe(await hashOf(PASSWORD, salt));
    const { data } = factory.layout;
    const known = await filesWith('FACTORY-BOOT', [data]);
    expect(known.join()).toContain(`${vm.id}.log`);
    // Logs, journals, and PostgreSQL with all that was ever written to its rows.
    expect(await filesWith(PASSWORD, [data, '/var/log/libvirt'])).toEqual([]);
  });

  it('becomes an image while it runs, at rest for a moment; a machine of that has its files', async () => {
    // Not synced: it is on the disk only when its agent has frozen the file systems.
    await typed(vm, 'echo kept > /kept-file');
    const { data } = await untilDone(factory, vm, 'makeImage', { name: 'taken' });
    expect(data).toMatchObject({ kind: 'makeImage', name: 'taken', isQuiesced: true });
    expect(await typed(vm, 'echo on > /kept-file && cat /kept-file')).toMatch(/^on$/m);
    // Its cluster tells of it a moment later.
    await waitFor(systemClock, 'the image to be known', READY_TIMEOUT_MS, () =>
      factory.run('image', 'show', 'taken').catch(() => undefined),
    );
    const size = ['--image', 'taken', '--count', '1', '--vcpus', '1', '--memory', '128'];
    await factory.run('batch', 'create', '--name', 'copy', ...size, '--wait');
    const copy = await factory.client.findVm('copy-1');
    const files = await typed(copy, 'hostname; cat /kept-file');
    expect([files.match(/^copy-1$/m), files.match(/^kept$/m)]).not.toContain(null);
    const { guest } = await waitFor(systemClock, 'what it says', READY_TIMEOUT_MS, async () => {
      const found = await factory.client.vm(copy.id);
      const said = found.guest?.addresses.map(({ ipAddress }) => ipAddress) ?? [];
      return said.includes(copy.ipAddress ?? '') ? found : undefined;
    });
    expect(guest).toMatchObject({ hostName: 'copy-1', os: { id: 'micro' } });
    const image = await factory.run('image', 'show', 'taken', '--output', 'json');
    expect(JSON.parse(image).versions).toMatchObject([
      { version: data?.kind === 'makeImage' ? data.version : '', madeOf: vm.id, minMemoryMiB: 96 },
    ]);
  });
});

/** Begins an operation and waits until it has succeeded. */
async function untilDone(
  { client }: RealFactory,
  { id }: Vm,
  verb: string,
  params: object,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<Operation> {
  const started = await client.operateOnVm(id, verb, params);
  return waitFor(systemClock, verb, READY_TIMEOUT_MS, async () => {
    await meanwhile();
    const operation = await client.operation(started.id);
    if (operation.state === 'failed') throw new Error(`${verb}: ${operation.message}`);
    return operation.state === 'succeeded' ? operation : undefined;
  });
}

/** What /etc/passwd has for a password. */
async function hashOf(password: string, salt: string): Promise<string> {
  const command = ['mkpasswd', '-m', 'sha512', '-S', salt, password];
  return (await run('busybox', command)).stdout.trim();
}

/** The process of the one host's executor. */
async function executorOf({ layout }: RealFactory): Promise<number> {
  const host = hostDirectory(layout, 'cluster-1', 'cluster-1-agent-1');
  return Number(JSON.parse(await readFile(join(host, 'executor.json'), 'utf8')).pid);
}

/** How often the guest has booted, by what its console says. */
async function bootsOf({ client }: RealFactory, { id }: Vm): Promise<number> {
  return (await client.logs(id)).split('FACTORY-BOOT').length - 1;
}

/** Seconds since the guest booted, as it says. */
async function uptimeInside(vm: Vm): Promise<number> {
  const [, seconds] = /^(\d+\.\d+) \d+\.\d+/m.exec(await typed(vm, 'cat /proc/uptime')) ?? [];
  return Number(seconds);
}
