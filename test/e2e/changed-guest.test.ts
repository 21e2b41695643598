import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vm } from '@factory/contracts';
import { connectLibvirt } from '@factory/libvirt';
import { systemClock, waitFor, withDeadline } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostDirectory } from '../../cli/src/supervisor/layout.ts';
import { pings, type RealFactory, startRealFactory } from '../support/real-factory.ts';

const TIMEOUT_MS = 240_000;
const READY_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 30_000;

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
});

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

/** What the machine's shell answers on its serial console. */
async function typed({ id }: Vm, command: string): Promise<string> {
  const libvirt = await connectLibvirt({ uri: 'qemu:///system', clock: systemClock });
  try {
    const domain = await libvirt.domains.lookupByName(`fct-${id}`);
    const console_ = await libvirt.domains.openConsole(domain);
    // Put together by the shell: what is typed is shown as well, and is not the answer.
    await console_.write(Buffer.from(`\n${command}; echo FACTORY-"END"\n`));
    return await withDeadline(
      systemClock,
      `an answer to ${command}`,
      ANSWER_TIMEOUT_MS,
      async () => {
        let shown = '';
        for await (const bytes of console_) {
          shown += Buffer.from(bytes).toString('latin1').replaceAll('\r', '');
          if (shown.includes('FACTORY-END')) break;
        }
        return shown;
      },
    );
  } finally {
    await libvirt.close();
  }
}
