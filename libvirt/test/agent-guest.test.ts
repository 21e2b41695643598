import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Domain, DomainAgentEvent, Libvirt } from '../src/index.ts';
import { connectForTest } from './conformance.ts';

/** The real QEMU guest agent in a guest that has nothing else, under emulation. */
const clock = systemClock;
const NAME = `lvagent-${process.pid}`;
/** Its download and making take some ten seconds, once. */
const BUILD_TIMEOUT_MS = 180_000;
/** Emulated, on a busy machine; mostly it takes five seconds. */
const BOOT_TIMEOUT_MS = 120_000;
const AGENT = { timeoutMs: 30_000 } as const;
const HERE = join(import.meta.dirname, 'agent-guest');
const SOURCES = ['build.sh', 'init', 'chpasswd'] as const;

let libvirt: Libvirt;
let folder: string;
let domain: Domain;
const seen: DomainAgentEvent[] = [];

/** The guest's files, made anew when what makes them changes. */
async function buildGuest(): Promise<string> {
  const sources = await Promise.all(SOURCES.map((name) => readFile(join(HERE, name))));
  const checksum = createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12);
  const output = join(import.meta.dirname, '../../.factory-test', `agent-guest-${checksum}`);
  const isBuilt = await access(join(output, 'vmlinuz')).then(
    () => true,
    () => false,
  );
  if (!isBuilt) {
    await promisify(execFile)(join(HERE, 'build.sh'), [output], { timeout: BUILD_TIMEOUT_MS });
  }
  return output;
}

function domainXml(): string {
  return `<domain type='qemu'>
      <name>${NAME}</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='q35'>hvm</type>
        <kernel>${folder}/vmlinuz</kernel><initrd>${folder}/initrd</initrd>
        <cmdline>console=ttyS0 quiet panic=-1</cmdline>
      </os>
      <features><acpi/><tcg><tb-cache unit='MiB'>64</tb-cache></tcg></features>
      <devices>
        <disk type='file' device='disk'>
          <driver name='qemu' type='raw'/><source file='${folder}/disk.img'/>
          <target dev='vda' bus='virtio'/>
        </disk>
        <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
        <serial type='pty'/>
        <controller type='usb' model='none'/>
        <memballoon model='none'/>
      </devices>
    </domain>`;
}

/** What a program in the guest prints. */
async function output(path: string, arg: readonly string[]): Promise<string> {
  const { guestAgent } = libvirt;
  const start = { execute: 'guest-exec', arguments: { path, arg, 'capture-output': true } };
  const started = await guestAgent.command(domain, start, AGENT);
  const status = { execute: 'guest-exec-status', arguments: Object(started) };
  const ended = await waitFor(clock, path, BOOT_TIMEOUT_MS, async () => {
    const told: { exited?: boolean } = Object(await guestAgent.command(domain, status, AGENT));
    return told.exited === true ? told : undefined;
  });
  expect(ended).toMatchObject({ exitcode: 0, 'out-data': expect.any(String) });
  return Buffer.from(Object(ended)['out-data'], 'base64').toString();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'libvirt-agent-'));
  // QEMU runs as a user of its own.
  await chmod(folder, 0o755);
  await cp(await buildGuest(), folder, { recursive: true });
  libvirt = await connectForTest('qemu:///system');
  await libvirt.events.on('agentLifecycle', (event) => {
    if (event.domain.name === NAME) seen.push(event);
  });
  domain = await libvirt.domains.createXml(domainXml());
  await waitFor(clock, 'the guest agent', BOOT_TIMEOUT_MS, () =>
    seen.find(({ state }) => state === 'connected'),
  );
}, BUILD_TIMEOUT_MS + BOOT_TIMEOUT_MS);
afterAll(async () => {
  await libvirt?.domains.destroy(domain).catch(() => undefined);
  await libvirt?.close();
  await rm(folder, { recursive: true });
}, BOOT_TIMEOUT_MS);

describe('a guest with an agent', { timeout: BOOT_TIMEOUT_MS }, () => {
  it('tells that its agent has come', () => {
    expect(seen.at(-1)).toMatchObject({ state: 'connected', reason: 'channel' });
  });

  it('answers, and refuses what it does not know', async () => {
    const { guestAgent } = libvirt;
    await guestAgent.ping(domain, AGENT);
    const info = await guestAgent.command(domain, { execute: 'guest-info' }, AGENT);
    expect(info).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+/) });
    const nonsense = guestAgent.command(domain, { execute: 'guest-tea' }, AGENT);
    await expect(nonsense).rejects.toMatchObject({ name: 'LibvirtError', code: 'INTERNAL_ERROR' });
  });

  it('tells of itself', async () => {
    const info = await libvirt.guestAgent.info(domain, { ...AGENT, parts: ['os', 'hostname'] });
    expect(info).toMatchObject({
      hostname: 'agent-guest',
      os: { id: 'tiny', prettyName: 'A tiny guest', versionId: '1', machine: 'x86_64' },
    });
    const { filesystems } = await libvirt.guestAgent.info(domain, {
      ...AGENT,
      parts: ['filesystems'],
    });
    expect(filesystems).toMatchObject([{ mountPoint: '/mnt', type: 'ext4' }]);
  });

  it('is frozen and thawed', async () => {
    const { guestAgent } = libvirt;
    expect(await guestAgent.fsFreeze(domain, AGENT)).toBe(1);
    expect(await guestAgent.fsThaw(domain, AGENT)).toBe(1);
    expect(await guestAgent.fsThaw(domain, AGENT)).toBe(0);
  });

  it('runs a program', async () => {
    expect(await output('/bin/hostname', [])).toBe('agent-guest\n');
  });

  it('gets a password and SSH keys', async () => {
    const { guestAgent } = libvirt;
    await guestAgent.setUserPassword(domain, 'root', 'a new secret', AGENT);
    expect(await output('/bin/cat', ['/etc/passwords'])).toBe('root:a new secret\n');
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB one@example';
    await guestAgent.setSshKeys(domain, 'root', [key], { ...AGENT, mode: 'append' });
    expect(await guestAgent.getSshKeys(domain, 'root', AGENT)).toStrictEqual([key]);
    await guestAgent.setSshKeys(domain, 'root', [key], { ...AGENT, mode: 'remove' });
    expect(await guestAgent.getSshKeys(domain, 'root', AGENT)).toStrictEqual([]);
    const nobody = guestAgent.setUserPassword(domain, 'nobody', 'x', AGENT);
    await expect(nobody).rejects.toMatchObject({ name: 'LibvirtError' });
  });

  it('is not asked while it is paused', async () => {
    const { domains, guestAgent } = libvirt;
    await domains.suspend(domain);
    await expect(guestAgent.ping(domain, AGENT)).rejects.toMatchObject({
      code: 'OPERATION_INVALID',
    });
    await domains.resume(domain);
    await guestAgent.ping(domain, AGENT);
  });

  it('whose agent hangs is given up by libvirt, ahead of our own deadline', async () => {
    const { guestAgent } = libvirt;
    const arg = ['-c', 'kill -STOP $(cat /run/agent.pid)'];
    const stop = { execute: 'guest-exec', arguments: { path: '/bin/sh', arg } };
    await guestAgent.command(domain, stop, AGENT);
    const limit = { timeoutMs: 5_000 };
    const unresponsive = { name: 'LibvirtError', code: 'AGENT_UNRESPONSIVE' };
    const error = await waitFor(clock, 'the agent to hang', BOOT_TIMEOUT_MS, () =>
      guestAgent.ping(domain, limit).catch((reason: unknown) => reason),
    );
    expect(error).toMatchObject(unresponsive);
    await expect(guestAgent.fsFreeze(domain, limit)).rejects.toMatchObject(unresponsive);
    await expect(guestAgent.info(domain, limit)).rejects.toMatchObject(unresponsive);
  });
});
