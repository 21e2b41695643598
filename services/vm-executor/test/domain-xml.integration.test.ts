import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectLibvirt, type Libvirt } from '@factory/libvirt';
import { systemClock, waitFor } from '@factory/runtime';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSeedFile } from '../src/host/seed.ts';
import type { DomainPlan } from '../src/hypervisor/domain-plan.ts';
import { problemsOf } from '../src/hypervisor/domain-xml/check.ts';
import { domainXml } from '../src/hypervisor/domain-xml/domain.ts';
import { vncSocketOf } from '../src/hypervisor/domain-xml/graphics.ts';
import { anyPlan, anyType } from '../src/hypervisor/domain-xml/test-plans.ts';
import { domainName, domainUuid } from '../src/hypervisor/names.ts';
import type { Hypervisor } from '../src/hypervisor/port.ts';
import { removeInstance } from '../src/stand-down.ts';
import { LIBVIRT_SOCKET, type LibvirtTestHost, openLibvirtHost } from './libvirt-host.ts';

const INSTANCE = 'test-domains';
const owner = { instance: INSTANCE, hostName: 'host-a' };
const run = promisify(execFile);
/** UEFI under TCG takes 25 s to find that nothing can be booted, on a busy machine a minute. */
const FIRMWARE_TIMEOUT_MS = 240_000;
const SOURCE = join(import.meta.dirname, '../src/hypervisor');

let host: LibvirtTestHost;
let libvirt: Libvirt;
let hypervisor: Hypervisor;
beforeAll(async () => {
  host = await openLibvirtHost(INSTANCE);
  const options = { uri: 'qemu:///system', socketPath: LIBVIRT_SOCKET, clock: systemClock };
  libvirt = await connectLibvirt(options);
  hypervisor = host.hypervisor(owner.hostName);
  hypervisor.start(() => undefined);
}, 30_000);
afterAll(async () => {
  await hypervisor?.close();
  await libvirt?.close();
  await host?.close();
}, 30_000);

/** Whether libvirt's schema takes it. @throws what xmllint found wrong. */
async function validate(path: string): Promise<void> {
  await run('virt-xml-validate', [path, 'domain']);
}

async function goldenFiles(): Promise<readonly string[]> {
  const own = join(SOURCE, 'domain-xml/fixtures');
  const plain = ['domain-kvm.xml', 'domain-qemu.xml'].map((name) => join(SOURCE, 'fixtures', name));
  return [...plain, ...(await readdir(own)).map((name) => join(own, name))];
}

describe('every golden file', () => {
  it("passes virt-xml-validate, and is a domain to this host's libvirt", async () => {
    const files = await goldenFiles();
    expect(files.length).toBeGreaterThan(10);
    for (const path of files) {
      await validate(path);
      const domain = await libvirt.domains.define(await readFile(path, 'utf8'), { validate: true });
      await libvirt.domains.undefine(domain, { nvram: 'keep' });
    }
  }, 60_000);
});

describe('any combination that is not refused', () => {
  it('passes virt-xml-validate', async () => {
    const possible = anyPlan.filter((plan) => problemsOf(plan).length === 0);
    const samples = fc.sample(fc.tuple(possible, anyType), { numRuns: 40, seed: 4 });
    for (const [plan, type] of samples) {
      const path = join(host.folder, 'combination.xml');
      await writeFile(path, domainXml(plan, type, owner));
      await validate(path);
    }
  }, 60_000);
});

/** Powers the guest on, hands its running XML to `look`, pulls the plug and forgets it. */
async function withGuest(plan: DomainPlan, look: (liveXml: string) => Promise<unknown>) {
  const ref = { name: domainName(plan.vmId), uuid: domainUuid(plan.vmId) };
  await hypervisor.define(plan);
  try {
    await hypervisor.powerOn(plan.vmId);
    expect((await hypervisor.findDomain(plan.vmId))?.power).toEqual({ kind: 'on' });
    await look(await libvirt.domains.getXml(ref));
  } finally {
    await hypervisor.powerOff(plan.vmId);
    await hypervisor.undefine(plan.vmId);
  }
  expect(await hypervisor.findDomain(plan.vmId)).toBeUndefined();
}

function consoleSays(plan: DomainPlan, text: string): Promise<true> {
  return waitFor(systemClock, `${text} on the console`, FIRMWARE_TIMEOUT_MS, async () => {
    const said = await readFile(plan.consolePath, 'latin1').catch(() => '');
    return said.includes(text) ? true : undefined;
  });
}

/** Cards on taps need no network of libvirt's. */
async function withTaps(names: readonly string[], work: () => Promise<void>): Promise<void> {
  try {
    for (const name of names) await run('ip', ['tuntap', 'add', 'dev', name, 'mode', 'tap']);
    await work();
    // Not libvirt's to remove.
    for (const name of names) await run('ip', ['link', 'show', name]);
  } finally {
    for (const name of names) await run('ip', ['link', 'delete', name]).catch(() => undefined);
  }
}

/** What a VNC server says first. */
async function vncGreeting(path: string): Promise<string> {
  const socket = connect({ path });
  const [greeting] = await once(socket, 'data');
  socket.destroy();
  return String(greeting);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe('a Windows guest with an empty disk', () => {
  it('comes to its firmware, with Secure Boot, TPM and screen, and leaves nothing', async () => {
    const plan: DomainPlan = {
      ...host.plan(1),
      ...{ vcpus: 2, memoryMiB: 512, tapName: 'fcttest0' },
      hardware: { os: 'windows', firmware: 'uefi-secure', tpm: true },
      nvramPath: join(host.folder, '1.nvram'),
      driversPath: join(host.folder, '2.iso'),
      ...{ hasScreen: true, hasAgentChannel: true },
    };
    // As it is with a password in it: for root alone, until libvirt gives it to QEMU's user.
    await writeSeedFile(plan.seedPath, {
      ...{ instanceId: plan.vmId, hostname: 'w', sshPublicKeys: [], userData: '' },
      ...{ form: 'config-drive', adminPassword: 'secret' },
    });
    const tpmState = `/var/lib/libvirt/swtpm/${domainUuid(plan.vmId)}`;
    await withTaps(['fcttest0'], () =>
      withGuest(plan, async (liveXml) => {
        const socket = vncSocketOf(liveXml) ?? '';
        expect(await vncGreeting(socket)).toMatch(/^RFB 003\.008/);
        expect(liveXml).toContain('secure-boot');
        expect(liveXml).toContain("name='org.qemu.guest_agent.0'");
        expect(await exists(plan.nvramPath ?? '')).toBe(true);
        expect(await exists(tpmState)).toBe(true);
        await consoleSays(plan, 'BdsDxe');
      }),
    );
    expect(await exists(plan.nvramPath ?? '')).toBe(false);
    expect(await exists(tpmState)).toBe(false);
  }, 300_000);

  it('with emulated devices comes to its firmware on a BIOS', async () => {
    const plan: DomainPlan = {
      ...(await bootable(3, 'WINDOWS-BIOS')),
      hardware: { os: 'windows', firmware: 'bios', devices: 'emulated' },
      ...{ tapName: 'fcttest0', hasScreen: true },
    };
    await withTaps(['fcttest0'], () => withGuest(plan, () => consoleSays(plan, 'WINDOWS-BIOS')));
  }, 300_000);
});

describe('standing down', () => {
  it("keeps a guest's UEFI variables and TPM, as it keeps its disk", async () => {
    const plan: DomainPlan = {
      ...host.plan(2),
      ...{ memoryMiB: 512, tapName: 'fcttest0' },
      hardware: { firmware: 'uefi', tpm: true },
      nvramPath: join(host.folder, '2.nvram'),
    };
    const tpmState = `/var/lib/libvirt/swtpm/${domainUuid(plan.vmId)}`;
    await withTaps(['fcttest0'], async () => {
      await hypervisor.define(plan);
      await hypervisor.powerOn(plan.vmId);
      await removeInstance({
        instance: INSTANCE,
        socketPath: LIBVIRT_SOCKET,
        clock: systemClock,
        network: host.network,
      });
      expect(await hypervisor.findDomain(plan.vmId)).toBeUndefined();
      expect(await exists(plan.nvramPath ?? '')).toBe(true);
      expect(await exists(tpmState)).toBe(true);
      // Deleting is another matter.
      await hypervisor.define(plan);
      await hypervisor.undefine(plan.vmId);
      expect(await exists(tpmState)).toBe(false);
    });
  }, 60_000);
});

describe('a Linux guest on a BIOS', () => {
  it('comes to its firmware with all that it can have on this host', async () => {
    const file = async (name: string): Promise<string> => {
      await writeFile(join(host.folder, name), Buffer.alloc(1024 * 1024));
      return join(host.folder, name);
    };
    const folder = async (name: string): Promise<string> => {
      await mkdir(join(host.folder, name));
      return join(host.folder, name);
    };
    const plan: DomainPlan = {
      ...(await bootable(4, 'LINUX-BIOS')),
      ...{ vcpus: 2, memoryMiB: 256, tapName: 'fcttest0', mtuBytes: 1450 },
      nics: [{ macAddress: '52:54:00:00:03:01', tapName: 'fcttest1' }],
      hardware: { cpu: { model: 'qemu64', numaNodes: 2, pinned: true } },
      hostCpus: [0, 1],
      volumes: [
        {
          path: await file('volume-a'),
          ...{ source: 'file', format: 'raw', serial: 'vol-a', readOnly: false },
        },
        {
          path: await file('volume-b'),
          ...{ source: 'file', format: 'raw', serial: 'vol-b', readOnly: true },
        },
      ],
      filesystems: [
        { path: await folder('shared'), tag: 'shared', transport: 'virtiofs', readOnly: false },
        { path: await folder('textures'), tag: 'textures', transport: '9p', readOnly: true },
      ],
      ...{ hasScreen: true, hasAgentChannel: true },
    };
    await withTaps(['fcttest0', 'fcttest1'], () =>
      withGuest(plan, () => consoleSays(plan, 'LINUX-BIOS')),
    );
  }, 300_000);
});

/** A plan whose disk says something on the serial port when the BIOS boots it, and then halts. */
async function bootable(number: number, says: string): Promise<DomainPlan> {
  const plan = host.plan(number);
  const raw = join(host.folder, `${number}.raw`);
  const disk = Buffer.alloc(1024 * 1024);
  bootSector(says).copy(disk);
  await writeFile(raw, disk);
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, plan.diskPath]);
  return plan;
}

/** 16-bit code: `mov dx, 0x3f8`, for each character `mov al, c; out dx, al`, `cli; hlt; jmp -3`. */
function bootSector(says: string): Buffer {
  const sector = Buffer.alloc(512);
  const letters = Array.from(Buffer.from(says), (byte) => [0xb0, byte, 0xee]);
  Buffer.from([0xba, 0xf8, 0x03, ...letters.flat(), 0xfa, 0xf4, 0xeb, 0xfd]).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
