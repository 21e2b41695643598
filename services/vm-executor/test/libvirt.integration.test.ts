import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectLibvirt, type Libvirt } from '@factory/libvirt';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DomainType, domainXml } from '../src/hypervisor/domain-xml/domain.ts';
import { domainName } from '../src/hypervisor/names.ts';
import type { HypervisorEvent } from '../src/hypervisor/port.ts';
import { namespaceName } from '../src/network/names.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { removeInstance } from '../src/stand-down.ts';
import { LIBVIRT_SOCKET, type LibvirtTestHost, openLibvirtHost } from './libvirt-host.ts';

const INSTANCE = 'test-libvirt';
const run = promisify(execFile);
const WAIT_MS = 10_000;

let host: LibvirtTestHost;
let libvirt: Libvirt;
beforeAll(async () => {
  host = await openLibvirtHost(INSTANCE);
  const options = { uri: 'qemu:///system', socketPath: LIBVIRT_SOCKET, clock: systemClock };
  libvirt = await connectLibvirt(options);
}, 30_000);
afterAll(async () => {
  await libvirt?.close();
  await host?.close();
}, 30_000);

/** A way to libvirtd that can be cut, as when libvirtd is restarted. */
async function openProxy(path: string) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ path: LIBVIRT_SOCKET });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(path);
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    cut,
    close() {
      cut();
      server.close();
    },
  };
}

describe('a lost connection', () => {
  it('is made again, told of, and usable', async () => {
    const path = join(host.folder, 'proxy.sock');
    const proxy = await openProxy(path);
    const hypervisor = host.hypervisor('host-a', path);
    const events: HypervisorEvent['kind'][] = [];
    hypervisor.start((event) => events.push(event.kind));
    try {
      await hypervisor.define(host.plan(1));
      proxy.cut();
      await waitFor(systemClock, 'reconnection', WAIT_MS, () =>
        events.filter((kind) => kind === 'connected').length >= 2 ? true : undefined,
      );
      expect(events).toContain('disconnected');
      expect(await hypervisor.findDomain(host.plan(1).vmId)).toBeDefined();
      await hypervisor.undefine(host.plan(1).vmId);
    } finally {
      await hypervisor.close();
      proxy.close();
    }
  });

  it('is a transient failure as long as it lasts', async () => {
    const hypervisor = host.hypervisor('host-a', join(host.folder, 'nobody.sock'));
    hypervisor.start(() => undefined);
    try {
      const failure = await hypervisor.listDomains().catch((error: unknown) => error);
      expect(failure).toMatchObject({ reason: 'HYPERVISOR_UNAVAILABLE', isTransient: true });
    } finally {
      await hypervisor.close();
    }
  });
});

describe('definitions', () => {
  it.each(['qemu', 'kvm'] as const)("pass libvirt's own schema (%s)", async (type: DomainType) => {
    const xml = domainXml(host.plan(2), type, { instance: INSTANCE, hostName: 'host-a' });
    const domain = await libvirt.domains.define(xml, { validate: true });
    await libvirt.domains.undefine(domain);
  });
});

describe('standing down', () => {
  it('takes guests and networks away, and leaves disks', async () => {
    const signal = AbortSignal.timeout(30_000);
    const subnet = testSubnet(1);
    const tapName = await host.network.plug(subnet, testNic(subnet, 1), signal);
    const plan = { ...host.plan(3), tapName };
    const hypervisor = host.hypervisor('host-a');
    hypervisor.start(() => undefined);
    await hypervisor.define(plan);
    await hypervisor.powerOn(plan.vmId);
    await hypervisor.close();
    const { subnetId } = subnet;
    expect((await run('ip', ['netns', 'list'])).stdout).toContain(
      namespaceName(INSTANCE, subnetId),
    );

    const said: string[] = [];
    const result = await removeInstance({
      instance: INSTANCE,
      socketPath: LIBVIRT_SOCKET,
      clock: systemClock,
      network: host.network,
      graceMs: 500,
      onProgress: (line) => said.push(line),
    });

    expect(result).toEqual({ domains: 1, networks: 1 });
    expect(said).toContain('forcing 1 machines off');
    const domains = (await libvirt.domains.list()).map(({ name }) => name);
    expect(domains).not.toContain(domainName(plan.vmId));
    expect(await host.network.inventory(signal)).toEqual({ nics: [], subnetIds: [], strays: [] });
    expect((await run('nft', ['list', 'tables'])).stdout).not.toContain(INSTANCE);
    await run('qemu-img', ['info', plan.diskPath]);
  }, 60_000);
});
