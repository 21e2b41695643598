import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock, systemRandom, waitFor } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createReconnectingLibvirt,
  DEFAULT_SOCKET_PATHS,
  type Domain,
  type DomainLifecycleEvent,
  type Libvirt,
} from '../src/index.ts';
import { connectForTest } from './conformance.ts';
import { biosDomainXml } from './qemu-xml.ts';

/** What only a real QEMU can show. */
const clock = systemClock;
const TIMEOUT_MS = 60_000;
const NAME = `lvqemu-${process.pid}`;

let libvirt: Libvirt;

async function removeDomain(): Promise<void> {
  const domains = await libvirt.domains.list();
  const domain = domains.find((candidate) => candidate.name === NAME);
  if (domain === undefined) return;
  if (domain.id !== undefined) await libvirt.domains.destroy(domain);
  await libvirt.domains.undefine(domain);
}

async function startDomain(): Promise<Domain> {
  return libvirt.domains.start(await libvirt.domains.define(biosDomainXml(NAME)));
}

beforeAll(async () => {
  libvirt = await connectForTest('qemu:///system');
}, TIMEOUT_MS);
afterEach(removeDomain, TIMEOUT_MS);
afterAll(() => libvirt.close(), TIMEOUT_MS);

describe('a real QEMU', { timeout: TIMEOUT_MS }, () => {
  it('that is killed from outside shows as failed', async () => {
    const seen: DomainLifecycleEvent[] = [];
    const domain = await startDomain();
    await libvirt.events.on('lifecycle', (event) => {
      if (event.domain.uuid === domain.uuid) seen.push(event);
    });
    process.kill(Number(await readFile(`/run/libvirt/qemu/${NAME}.pid`, 'utf8')), 'SIGKILL');
    const stopped = await waitFor(clock, 'the event', 10_000, () =>
      seen.find((event) => event.event === 'stopped'),
    );
    expect(stopped.detail).toBe('failed');
    expect(await libvirt.domains.getState(domain)).toStrictEqual({
      state: 'shutoff',
      reason: 'crashed',
    });
  });

  it('is reset, and asked to power off and reboot', async () => {
    const { domains } = libvirt;
    const domain = await startDomain();
    await domains.reset(domain);
    await domains.reboot(domain, { method: 'acpi' });
    await domains.shutdown(domain, { method: 'acpi' });
    await expect(domains.shutdown(domain, { method: 'agent' })).rejects.toMatchObject({
      code: 'ARGUMENT_UNSUPPORTED',
    });
    // There is no system in the guest to obey.
    expect((await domains.getState(domain)).state).toBe('running');
  });

  it('runs on while the connection is lost and comes back', async () => {
    const proxy = await startProxy();
    const again = createReconnectingLibvirt({
      uri: 'qemu:///system',
      clock,
      random: systemRandom,
      backoff: { baseMs: 10, maxMs: 100 },
      socketPath: proxy.path,
    });
    try {
      const seen: string[] = [];
      await again.whenConnected(10_000);
      await again.events.on('lifecycle', (event) => {
        if (event.domain.name === NAME) seen.push(event.event);
      });
      again.onReconnected(() => seen.push('reconnected'));
      const domain = await startDomain();
      await waitFor(clock, 'the start', 10_000, () => seen.includes('started') || undefined);
      proxy.cut();
      await waitFor(clock, 'a reconnect', 10_000, () => seen.includes('reconnected') || undefined);
      expect((await again.domains.getState(domain)).state).toBe('running');
      await again.domains.destroy(domain);
      await waitFor(clock, 'the stop', 10_000, () => seen.includes('stopped') || undefined);
    } finally {
      await again.close();
      await proxy.close();
    }
  });

  it('does not keep a process alive after close', async () => {
    const script = `
      import { systemClock as clock } from '@factory/runtime';
      import { connectLibvirt } from '${new URL('../src/index.ts', import.meta.url).href}';
      const libvirt = await connectLibvirt({ uri: 'qemu:///system', clock });
      await libvirt.events.on('lifecycle', () => undefined);
      await libvirt.domains.list();
      await libvirt.close();
      process.stdout.write('closed');`;
    const args = ['--input-type=module', '--eval', script];
    const options = { timeout: 20_000, cwd: import.meta.dirname };
    const { stdout } = await promisify(execFile)(process.execPath, args, options);
    expect(stdout).toBe('closed');
  });
});

/** Between us and libvirtd, to cut the line without restarting what others use too. */
async function startProxy(): Promise<{
  readonly path: string;
  cut(): void;
  close(): Promise<void>;
}> {
  const [target = ''] = DEFAULT_SOCKET_PATHS;
  const path = join(tmpdir(), `${NAME}.sock`);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ path: target });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    path,
    cut,
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
