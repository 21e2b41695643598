import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Domain, DomainEventKind, DomainEvents, Libvirt } from '../src/index.ts';
import { connectForTest } from './conformance.ts';

/** What is done to a running machine, on a real QEMU; its guest never gets further than its BIOS. */
const clock = systemClock;
const TIMEOUT_MS = 60_000;
const NAME = `lvops-${process.pid}`;

let libvirt: Libvirt;
let folder: string;

const image = (name: string): string => join(folder, `${name}.qcow2`);

async function qemuImg(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('qemu-img', args, { timeout: 20_000 });
}

function diskXml(file: string, target: string, alias: string): string {
  return `<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='${file}'/><target dev='${target}' bus='virtio'/>
      <alias name='${alias}'/>
    </disk>`;
}

function domainXml(): string {
  const ports = "<controller type='pci' model='pcie-root-port'/>".repeat(10);
  return `<domain type='qemu'>
      <name>${NAME}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>
      <features><acpi/><tcg><tb-cache unit='MiB'>16</tb-cache></tcg></features>
      <devices>
        <controller type='pci' index='0' model='pcie-root'/>${ports}
        ${diskXml(image('disk'), 'vda', 'ua-first')}
        <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
        <graphics type='vnc'><listen type='socket'/></graphics>
        <video><model type='vga'/></video>
      </devices>
    </domain>`;
}

async function startDomain(): Promise<Domain> {
  return libvirt.domains.start(await libvirt.domains.define(domainXml(), { validate: true }));
}

/** The events of one kind about our domain, as they come. */
async function listen<K extends DomainEventKind>(kind: K): Promise<readonly DomainEvents[K][]> {
  const seen: DomainEvents[K][] = [];
  await libvirt.events.on(kind, (event) => {
    if (event.domain.name === NAME) seen.push(event);
  });
  return seen;
}

function first<T>(what: string, seen: readonly T[], matches: (event: T) => boolean): Promise<T> {
  return waitFor(clock, what, 20_000, () => seen.find(matches));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'libvirt-operations-'));
  // QEMU runs as a user of its own.
  await chmod(folder, 0o777);
}, TIMEOUT_MS);
beforeEach(async () => {
  libvirt = await connectForTest('qemu:///system');
  await qemuImg('create', '-q', '-f', 'qcow2', image('base'), '8M');
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image('base'), image('disk'));
}, TIMEOUT_MS);
afterEach(async () => {
  const domain = (await libvirt.domains.list()).find((candidate) => candidate.name === NAME);
  if (domain?.id !== undefined) await libvirt.domains.destroy(domain);
  const everything = { managedSave: true, snapshotsMetadata: true } as const;
  if (domain !== undefined) await libvirt.domains.undefine(domain, everything);
  await libvirt.close();
}, TIMEOUT_MS);
afterAll(() => rm(folder, { recursive: true }), TIMEOUT_MS);

describe('a running machine', { timeout: TIMEOUT_MS }, () => {
  it('gets a disk, and lets it go when it is reset, as its guest does not', async () => {
    const { devices, domains } = libvirt;
    const removed = await listen('deviceRemoved');
    const reboots = await listen('reboot');
    await qemuImg('create', '-q', '-f', 'qcow2', image('second'), '8M');
    const domain = await startDomain();
    await devices.attach(domain, diskXml(image('second'), 'vdb', 'ua-second'), { affect: 'live' });
    expect(await domains.getXml(domain)).toContain("'ua-second'");
    expect(await domains.getXml(domain, { inactive: true })).not.toContain("'ua-second'");
    await devices.detachAlias(domain, 'ua-second', { affect: 'live' });
    await domains.reset(domain);
    const { alias } = await first('the removal', removed, () => true);
    expect(alias).toBe('ua-second');
    expect(reboots.length).toBeGreaterThan(0);
    expect(await domains.getXml(domain)).not.toContain("'ua-second'");
    await expect(devices.detachAlias(domain, 'ua-second')).rejects.toMatchObject({
      name: 'LibvirtError',
    });
  });

  it('is snapshotted with its memory, taken back, and rid of the snapshot', async () => {
    const { domains, snapshots } = libvirt;
    const domain = await startDomain();
    const xml = '<domainsnapshot><name>before</name></domainsnapshot>';
    const snapshot = await snapshots.create(domain, xml, { atomic: true });
    expect(snapshot).toStrictEqual({
      name: 'before',
      domain: { name: domain.name, uuid: domain.uuid },
    });
    expect(await snapshots.list(domain)).toStrictEqual([snapshot]);
    expect(await snapshots.lookup(domain, 'before')).toStrictEqual(snapshot);
    expect(await snapshots.getXml(snapshot)).toContain("<memory snapshot='internal'/>");
    await snapshots.revert(snapshot, { afterwards: 'paused' });
    expect((await domains.getState(domain)).state).toBe('paused');
    await snapshots.delete(snapshot);
    expect(await snapshots.list(domain)).toStrictEqual([]);
    await expect(snapshots.lookup(domain, 'before')).rejects.toMatchObject({
      code: 'NO_DOMAIN_SNAPSHOT',
    });
  });

  it('is backed up while it runs', async () => {
    const { jobs } = libvirt;
    const ended = await listen('jobCompleted');
    const domain = await startDomain();
    await expect(jobs.getBackupXml(domain)).rejects.toMatchObject({ code: 'NO_DOMAIN_BACKUP' });
    await expect(jobs.abort(domain)).rejects.toMatchObject({ code: 'OPERATION_INVALID' });
    await jobs.beginBackup(
      domain,
      `<domainbackup mode='push'><disks>
         <disk name='vda' type='file'>
           <target file='${image('backup')}'/><driver type='qcow2'/>
         </disk>
       </disks></domainbackup>`,
    );
    const event = await first('its end', ended, ({ operation }) => operation === 'backup');
    expect(event).toMatchObject({ success: true, diskTotalBytes: 8_388_608n });
    expect(await jobs.stats(domain, { completed: true })).toMatchObject({
      type: 'completed',
      operation: 'backup',
      diskProcessedBytes: 8_388_608n,
    });
    expect(await jobs.stats(domain)).toMatchObject({ type: 'none' });
    expect((await stat(image('backup'))).size).toBeGreaterThan(0);
  });

  it('moves a disk to a copy of it, and folds an image into the one below', async () => {
    const { blockJobs, domains } = libvirt;
    const seen = await listen('blockJob');
    const domain = await startDomain();
    expect(await blockJobs.info(domain, 'vda')).toBeUndefined();
    const ready = (type: string) =>
      first(`a ready ${type}`, seen, (event) => event.type === type && event.status === 'ready');
    await blockJobs.commit(domain, 'vda', { active: true, shallow: true });
    await ready('active-commit');
    expect(await blockJobs.info(domain, 'vda')).toMatchObject({ type: 'active-commit' });
    await blockJobs.pivot(domain, 'vda');
    expect(await domains.getXml(domain)).toContain(`<source file='${image('base')}'`);
    const copy = `<disk type='file'><driver type='qcow2'/><source file='${image('copy')}'/></disk>`;
    await blockJobs.copy(domain, 'vda', copy, { synchronousWrites: true });
    await ready('copy');
    await blockJobs.pivot(domain, 'vda');
    expect(await domains.getXml(domain)).toContain(`<source file='${image('copy')}'`);
    await blockJobs.resize(domain, 'vda', 16_777_216n);
    const [stats] = await domains.stats({ domains: [domain], groups: ['block'] });
    expect(stats?.blocks[0]?.capacityBytes).toBe(16_777_216n);
  });

  it('is put to sleep on disk and goes on; what it is stored with changes', async () => {
    const { domains } = libvirt;
    const domain = await startDomain();
    expect(await domains.hasManagedSave(domain)).toBe(false);
    await domains.managedSave(domain);
    expect(await domains.getState(domain)).toStrictEqual({ state: 'shutoff', reason: 'saved' });
    expect(await domains.hasManagedSave(domain)).toBe(true);
    await domains.start(domain);
    expect(await domains.hasManagedSave(domain)).toBe(false);
    await domains.managedSave(domain, { afterwards: 'paused' });
    await domains.removeManagedSave(domain);
    await domains.setVcpus(domain, 2, { affect: 'config', maximum: true });
    await domains.setVcpus(domain, 2, { affect: 'config' });
    await domains.setMemory(domain, 65_536n, { affect: 'config', maximum: true });
    await domains.setMemory(domain, 65_536n, { affect: 'config' });
    expect(await domains.getInfo(domain)).toMatchObject({
      vcpuCount: 2,
      maxMemoryKiB: 65_536n,
      memoryKiB: 65_536n,
    });
    await domains.setAutostart(domain, true);
    expect(await domains.getAutostart(domain)).toBe(true);
    await domains.setAutostart(domain, false);
    expect(await domains.getAutostart(domain)).toBe(false);
  });

  it('serves its screen on a socket', async () => {
    const domain = await startDomain();
    const [screen] = await libvirt.domains.graphics(domain);
    if (screen?.kind !== 'socket') throw new Error('no screen on a socket');
    expect(screen.type).toBe('vnc');
    const socket = connect(screen.path);
    try {
      const greeting = await new Promise((resolve, reject) => {
        socket.once('data', (bytes) => resolve(bytes.toString()));
        socket.once('error', reject);
      });
      expect(greeting).toMatch(/^RFB 003\.\d{3}\n$/);
    } finally {
      socket.destroy();
    }
  });

  it('whose guest agent is away says so at once', async () => {
    const { guestAgent } = libvirt;
    const domain = await startDomain();
    const away = { name: 'LibvirtError', code: 'AGENT_UNRESPONSIVE' };
    await expect(guestAgent.ping(domain)).rejects.toMatchObject(away);
    await expect(guestAgent.fsFreeze(domain)).rejects.toMatchObject(away);
    await expect(guestAgent.setUserPassword(domain, 'root', 'x')).rejects.toMatchObject(away);
    await expect(guestAgent.info(domain)).rejects.toMatchObject(away);
  });
});
