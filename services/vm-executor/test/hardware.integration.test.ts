import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hostAttribute, type VmHardware } from '@factory/contracts';
import { connectLibvirt, type Libvirt } from '@factory/libvirt';
import { silentLogger, systemClock, systemRandom } from '@factory/runtime';
import { parseAttributes } from 'mesos-core/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCpuList } from '../src/hardware/cpu-list.ts';
import { createGrantFiles } from '../src/hardware/grant-files.ts';
import { createHostHardware } from '../src/hardware/host-hardware.ts';
import type { HostHardware } from '../src/hardware/port.ts';
import { createSysfsReader } from '../src/hardware/sysfs.ts';
import type { DomainPlan } from '../src/hypervisor/domain-plan.ts';
import { createLibvirtHypervisor } from '../src/hypervisor/libvirt.ts';
import { domainName, domainUuid } from '../src/hypervisor/names.ts';
import type { Hypervisor } from '../src/hypervisor/port.ts';
import { testPlan } from '../src/testing.ts';
import { type OwnLibvirt, openOwnLibvirt } from './own-libvirt.ts';

const run = promisify(execFile);
const HUGEPAGES = '/proc/sys/vm/nr_hugepages';
const MEMORY_MIB = 64;
const PAGES = MEMORY_MIB / 2;

let own: OwnLibvirt;
let libvirt: Libvirt;
let hypervisor: Hypervisor;
let hardware: HostHardware;
let plan: DomainPlan;
beforeAll(async () => {
  own = await openOwnLibvirt();
  const { socketPath, folder } = own;
  libvirt = await connectLibvirt({ uri: 'qemu:///system', socketPath, clock: systemClock });
  hypervisor = createLibvirtHypervisor({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger, socketPath },
    instance: 'test-hardware',
    domainType: async () => 'qemu',
  });
  hypervisor.identify('host-a');
  hypervisor.start(() => undefined);
  plan = {
    ...testPlan(1),
    ...{ vcpus: 2, memoryMiB: MEMORY_MIB },
    diskPath: join(folder, 'disk.qcow2'),
    seedPath: join(folder, 'seed.iso'),
    consolePath: join(folder, 'console.log'),
  };
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', plan.diskPath, '1M']);
  await writeFile(plan.seedPath, Buffer.alloc(512 * 1024));
  await own.run('ip', 'tuntap', 'add', 'dev', plan.tapName, 'mode', 'tap');
  const reader = createSysfsReader();
  hardware = createHostHardware({ reader, grants: createGrantFiles(folder) });
  const online = (await reader.nodes()).flatMap(({ cpus }) => cpus.map(({ cpu }) => cpu));
  const attributes = `pinned_cpus:[${Math.min(...online)}-${Math.max(...online)}]`;
  hardware.identify(parseAttributes(attributes).map(hostAttribute));
}, 60_000);
afterAll(async () => {
  await hypervisor?.close();
  await libvirt?.close();
  await own?.close();
});

/** Powers the guest on, hands its running XML to `look`, pulls the plug and forgets it. */
async function withGuest(given: DomainPlan, look: (liveXml: string) => Promise<unknown>) {
  const { vmId } = given;
  try {
    await hypervisor.define(given);
    await hypervisor.powerOn(vmId);
    await look(await libvirt.domains.getXml({ name: domainName(vmId), uuid: domainUuid(vmId) }));
  } finally {
    await hypervisor.powerOff(vmId);
    await hypervisor.undefine(vmId);
  }
}

/** The plan with this hardware, as it is handed out on this host; given back after `work`. */
async function withHardware(wished: VmHardware, work: (given: DomainPlan) => Promise<unknown>) {
  const { vmId, vcpus, memoryMiB } = plan;
  const parts = await hardware.assign(vmId, { hardware: wished, vcpus, memoryMiB });
  try {
    await work({ ...plan, hardware: wished, ...parts });
  } finally {
    await hardware.release(vmId);
  }
}

/** The CPUs that each thread of QEMU named so may run on. */
async function affinityOf(thread: RegExp): Promise<readonly (readonly number[])[]> {
  const [pid = ''] = (await own.run('pgrep', '-f', domainName(plan.vmId))).split('\n');
  const tasks = (await own.run('ls', `/proc/${pid}/task`)).split('\n').filter((id) => id !== '');
  const all = await Promise.all(
    tasks.map(async (id) => {
      const status = await own.run('cat', `/proc/${pid}/task/${id}/status`);
      const name = /^Name:\t(.*)$/m.exec(status)?.[1] ?? '';
      const allowed = /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1] ?? '';
      return thread.test(name) ? [parseCpuList(allowed)] : [];
    }),
  );
  return all.flat();
}

describe('a guest on real libvirt', () => {
  it('runs on cores of its own, with the CPU model and NUMA nodes that it asked for', async () => {
    const wished = { cpu: { pinned: true, model: 'Westmere', numaNodes: 2 } };
    await withHardware(wished, async (given) => {
      const { hostCpus = [] } = given;
      expect(hostCpus).toHaveLength(2);
      await withGuest(given, async (liveXml) => {
        expect(liveXml).toContain(`<vcpupin vcpu='1' cpuset='${hostCpus[1]}'/>`);
        expect(liveXml).toMatch(/<model fallback='forbid'>Westmere<\/model>/);
        expect(liveXml).toMatch(/<cell id='1' cpus='1' memory='32768' unit='KiB'/);
        expect(await affinityOf(/^CPU \d+\/TCG$/)).toEqual(hostCpus.map((cpu) => [cpu]));
      });
    });
  }, 60_000);

  it('keeps off the cores of others, as QEMU itself does', async () => {
    const [shared = 0] = parseCpuList(await readFile('/sys/devices/system/cpu/online', 'utf8'));
    await withGuest({ ...plan, sharedCpus: [shared] }, async () => {
      const affinity = await affinityOf(/qemu|CPU/);
      expect(affinity.length).toBeGreaterThan(0);
      expect(new Set(affinity.flat())).toEqual(new Set([shared]));
    });
  }, 60_000);

  it('has its memory in huge pages, and is refused where there are none', async (context) => {
    const wished = { cpu: { hugepages: '2M', model: 'host-model' } } as const;
    const before = Number(await readFile(HUGEPAGES, 'utf8'));
    if (before === 0) {
      const nothing = async () => undefined;
      await expect(withHardware(wished, nothing)).rejects.toMatchObject({
        ...{ reason: 'HUGEPAGES_UNAVAILABLE', isTransient: false },
      });
      await expect(withGuest({ ...plan, hardware: wished }, nothing)).rejects.toMatchObject({
        reason: 'HUGEPAGES_UNAVAILABLE',
      });
    }
    try {
      await writeFile(HUGEPAGES, String(before + PAGES)).catch(() => undefined);
      const pages = Number(await readFile(HUGEPAGES, 'utf8'));
      context.skip(pages < before + PAGES, 'this kernel gives no huge pages');
      await withHardware(wished, (given) =>
        withGuest(given, async (liveXml) => {
          expect(liveXml).toMatch(/<page size='2048' unit='KiB'/);
          const memory = await readFile('/proc/meminfo', 'utf8');
          const free = Number(/HugePages_Free: +(\d+)/.exec(memory)?.[1]);
          expect(free).toBeLessThanOrEqual(pages - PAGES);
        }),
      );
    } finally {
      await writeFile(HUGEPAGES, String(before)).catch(() => undefined);
    }
  }, 60_000);

  it.each([
    ['CPU_MODEL_UNAVAILABLE', { hardware: { cpu: { model: 'Nonsense' } } }],
    ['GPU_UNAVAILABLE', { hardware: { gpus: 1 }, hostDevices: ['0000:fe:1f.7'] }],
    ['CPUS_UNAVAILABLE', { memoryNodes: [63] }],
  ] as const)('is refused with %s when its host has it not', async (reason, given) => {
    const nothing = async () => undefined;
    await expect(withGuest({ ...plan, ...given }, nothing)).rejects.toMatchObject({ reason });
  });
});
