import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  connectLibvirt,
  type Domain,
  type DomainLifecycleEvent,
  isLibvirtError,
  type Libvirt,
  type LibvirtErrorCode,
} from '../src/index.ts';

/** Parts of libvirt that not every driver has. */
type Feature =
  | 'console'
  | 'screenshot'
  | 'cpuStats'
  | 'dhcpLeases'
  | 'domainCapabilities'
  | 'inactiveNetworkXml'
  | 'startFlags'
  | 'nvram';

/** A libvirt driver to put through the suite. */
interface Subject {
  readonly name: string;
  readonly uri: string;
  /** What it can do; where it can't, the suite expects libvirt's own refusal. */
  readonly features: ReadonlySet<Feature>;
  /** The XML of a domain that costs next to nothing. */
  domainXml(name: string): string;
  networkXml(name: string): string;
  /** What it says when a running domain is started once more. */
  readonly alreadyRunning: LibvirtErrorCode;
}

const clock = systemClock;
const TIMEOUT_MS = 60_000;
const REFUSAL = expect.stringMatching(/^(NO_SUPPORT|INVALID_ARG)$/);
/** Only this run's objects are ever touched. */
const PREFIX = `lvconf-${process.pid}-`;
const HOST = { mac: '52:54:00:6c:76:01', name: 'fixed' } as const;

/** A running libvirtd, or an error that says how to get one: these tests are never skipped. */
export async function connectForTest(uri: string): Promise<Libvirt> {
  try {
    return await connectLibvirt({ uri, clock, callTimeoutMs: TIMEOUT_MS });
  } catch (cause) {
    throw new Error(
      `the libvirt tests need a running libvirtd, as root: virtlogd -d && libvirtd -d (${uri})`,
      { cause },
    );
  }
}

/** Destroys and undefines this run's domains and networks, whatever state a test left them in. */
async function sweep(libvirt: Libvirt): Promise<void> {
  const quietly = (work: Promise<unknown>) => work.catch(() => undefined);
  for (const domain of await libvirt.domains.list()) {
    if (!domain.name.startsWith(PREFIX)) continue;
    await quietly(libvirt.domains.destroy(domain));
    await quietly(libvirt.domains.undefine(domain));
  }
  for (const network of await libvirt.networks.list()) {
    if (!network.name.startsWith(PREFIX)) continue;
    await quietly(libvirt.networks.destroy(network));
    await quietly(libvirt.networks.undefine(network));
  }
  const left = [...(await libvirt.domains.list()), ...(await libvirt.networks.list())];
  expect(left.filter((object) => object.name.startsWith(PREFIX))).toStrictEqual([]);
}

/** The suite that every driver passes; each test makes its own objects and leaves none. */
export function describeConformance(subject: Subject): void {
  let connection: Libvirt | undefined;
  const libvirt = (): Libvirt => {
    if (connection === undefined) throw new Error('not connected yet');
    return connection;
  };

  describe(`libvirt on ${subject.name}`, { timeout: TIMEOUT_MS }, () => {
    beforeAll(async () => {
      connection = await connectForTest(subject.uri);
    }, TIMEOUT_MS);
    afterEach(() => sweep(libvirt()), TIMEOUT_MS);
    afterAll(async () => {
      await connection?.close();
    }, TIMEOUT_MS);

    describeHost(subject, libvirt);
    describeDomains(subject, libvirt);
    describeDevices(subject, libvirt);
    describeNetworks(subject, libvirt);
  });
}

/** Runs `work` where the driver has the feature; else expects that it refuses. */
async function withFeature(
  subject: Subject,
  feature: Feature,
  work: () => Promise<void>,
): Promise<void> {
  if (subject.features.has(feature)) await work();
  else await expect(work()).rejects.toMatchObject({ code: REFUSAL });
}

function describeHost(subject: Subject, libvirt: () => Libvirt): void {
  it('tells about the host', async () => {
    const { host } = libvirt();
    expect((await host.libvirtVersion()).major).toBeGreaterThanOrEqual(7);
    const version = await host.hypervisorVersion();
    expect(version.major + version.minor + version.release).toBeGreaterThan(0);
    const node = await host.nodeInfo();
    expect(node.model).toMatch(/^[a-z0-9_]+$/);
    expect(node.memoryKiB).toBeGreaterThan(0n);
    expect(node.cpuCount).toBeGreaterThan(0);
    expect(await host.hostname()).not.toBe('');
    expect(await host.capabilities()).toContain('<capabilities>');
  });

  it('tells what domains may use', async () => {
    await withFeature(subject, 'domainCapabilities', async () => {
      const xml = await libvirt().host.domainCapabilities({ virtType: 'qemu' });
      expect(xml).toContain('<domain>qemu</domain>');
    });
  });
}

function describeDomains(subject: Subject, libvirt: () => Libvirt): void {
  const define = (name: string): Promise<Domain> =>
    libvirt().domains.define(subject.domainXml(PREFIX + name), { validate: true });

  it('defines, finds, lists and undefines a domain', async () => {
    const { domains } = libvirt();
    const domain = await define('defined');
    expect(domain).toMatchObject({ name: `${PREFIX}defined`, id: undefined });
    expect(await domains.lookupByName(domain.name)).toStrictEqual(domain);
    expect(await domains.lookupByUuid(domain.uuid)).toStrictEqual(domain);
    expect(await domains.list()).toContainEqual(domain);
    expect(await domains.list({ only: 'inactive' })).toContainEqual(domain);
    expect(await domains.list({ only: 'active' })).not.toContainEqual(domain);
    expect(await domains.getXml(domain, { inactive: true })).toContain(domain.uuid);
    expect(await domains.getState(domain)).toMatchObject({ state: 'shutoff' });
    await domains.setAutostart(domain, false);
    const everything = { managedSave: true, snapshotsMetadata: true } as const;
    await withFeature(subject, 'nvram', async () => {
      await domains.undefine(domain, { ...everything, nvram: 'remove' });
      await domains.define(subject.domainXml(domain.name));
    });
    await domains.undefine(await domains.lookupByName(domain.name), everything);
    await expect(domains.lookupByName(domain.name)).rejects.toMatchObject({ code: 'NO_DOMAIN' });
    await expect(domains.getInfo(domain)).rejects.toSatisfy((error) =>
      isLibvirtError(error, 'NO_DOMAIN'),
    );
  });

  it('refuses XML that is none', async () => {
    const { domains } = libvirt();
    await expect(domains.define('<domain')).rejects.toMatchObject({ code: 'XML_DETAIL' });
    await expect(domains.define('<domain/>')).rejects.toBeInstanceOf(Error);
    const odd = subject.domainXml(`${PREFIX}odd`).replace('<devices>', '<devices><sofa/>');
    await expect(domains.define(odd, { validate: true })).rejects.toMatchObject({
      code: 'XML_INVALID_SCHEMA',
    });
  });

  it('starts, pauses, resumes and destroys, and says so in events', async () => {
    const { domains, events } = libvirt();
    const seen: DomainLifecycleEvent[] = [];
    const name = `${PREFIX}lifecycle`;
    const subscription = await events.on('lifecycle', (event) => {
      if (event.domain.name === name) seen.push(event);
    });
    const domain = await define('lifecycle');
    const running = await domains.start(domain);
    expect(running.id).toBeGreaterThan(0);
    expect(await domains.getState(domain)).toStrictEqual({ state: 'running', reason: 'booted' });
    expect(await domains.getInfo(domain)).toMatchObject({
      state: 'running',
      maxMemoryKiB: 32_768n,
      vcpuCount: 1,
    });
    await expect(domains.start(domain)).rejects.toMatchObject({ code: subject.alreadyRunning });
    await domains.suspend(domain);
    expect(await domains.getState(domain)).toStrictEqual({ state: 'paused', reason: 'user' });
    await domains.resume(domain);
    await domains.destroy(domain);
    expect(await domains.getState(domain)).toStrictEqual({ state: 'shutoff', reason: 'destroyed' });
    await domains.undefine(domain);
    const words = () => seen.map((event) => `${event.event}/${event.detail}`);
    await waitFor(
      clock,
      'the last event',
      5_000,
      () => words().includes('undefined/removed') || undefined,
    );
    subscription.close();
    // QEMU announces `resumed` at a start as well, ahead of `started`.
    const expected = ['defined/added', 'started/booted', 'suspended/paused', 'resumed/unpaused'];
    expect(words()).toEqual(expect.arrayContaining([...expected, 'stopped/destroyed']));
    expect(words().indexOf('stopped/destroyed')).toBeGreaterThan(words().indexOf('started/booted'));
  });

  it('runs a transient domain, of which nothing is left', async () => {
    const { domains } = libvirt();
    const xml = subject.domainXml(`${PREFIX}transient`);
    const domain = await domains.createXml(xml);
    expect((await domains.getState(domain)).state).toBe('running');
    await domains.destroy(domain);
    await expect(domains.lookupByUuid(domain.uuid)).rejects.toMatchObject({ code: 'NO_DOMAIN' });
  });

  it('starts a domain that waits for its resume', async () => {
    const { domains } = libvirt();
    await withFeature(subject, 'startFlags', async () => {
      const xml = subject.domainXml(`${PREFIX}waiting`);
      const domain = await domains.createXml(xml, { paused: true, validate: true });
      expect((await domains.getState(domain)).state).toBe('paused');
      await domains.resume(domain);
      expect((await domains.getState(domain)).state).toBe('running');
    });
  });

  it('gives the statistics of all domains in one call', async () => {
    const { domains } = libvirt();
    const domain = await define('stats');
    await domains.start(domain);
    const all = await domains.stats();
    const mine = all.find((stats) => stats.domain.uuid === domain.uuid);
    expect(mine?.status?.state).toBe('running');
    if (subject.features.has('cpuStats')) {
      expect(mine?.cpu?.timeNs).toBeGreaterThan(0n);
      expect(mine?.balloon?.maximumKiB).toBe(32_768n);
      expect(mine?.vcpus).toMatchObject([{ index: 0, state: 'running' }]);
    }
    const [only] = await domains.stats({ domains: [domain], groups: ['state'] });
    expect(only?.domain).toStrictEqual({ name: domain.name, uuid: domain.uuid });
    expect(await domains.stats({ domains: [] })).toStrictEqual([]);
  });

  it('carries many calls at once', async () => {
    const { domains } = libvirt();
    const domain = await define('many');
    const calls = Array.from({ length: 200 }, () => domains.getXml(domain));
    expect(new Set(await Promise.all(calls)).size).toBe(1);
  });
}

function describeDevices(subject: Subject, libvirt: () => Libvirt): void {
  const start = async (name: string): Promise<Domain> => {
    const { domains } = libvirt();
    return domains.start(await domains.define(subject.domainXml(PREFIX + name)));
  };

  it('reads the console, which ends when the domain does', async () => {
    const domain = await start('console');
    await withFeature(subject, 'console', async () => {
      const stream = await libvirt().domains.openConsole(domain);
      let output = '';
      const reading = (async () => {
        for await (const chunk of stream) output += Buffer.from(chunk).toString('latin1');
      })().catch((error: unknown) => error);
      await stream.write('\r');
      await waitFor(clock, 'the BIOS', 30_000, () => output.includes('SeaBIOS') || undefined);
      await libvirt().domains.destroy(domain);
      // libvirt ends it with `RPC` or without an error: it depends on what it notices first.
      const error = await reading;
      expect(error === undefined || isLibvirtError(error, 'RPC')).toBe(true);
    });
  });

  it('closes a console, so that the next can open it', async () => {
    const domain = await start('reopen');
    await withFeature(subject, 'console', async () => {
      const { domains } = libvirt();
      const first = await domains.openConsole(domain, { safe: true });
      await expect(domains.openConsole(domain, { safe: true })).rejects.toMatchObject({
        code: 'OPERATION_FAILED',
      });
      await first.close();
      const second = await domains.openConsole(domain, { safe: true });
      second.abort();
      // libvirtd takes note of an abort in its own time: nothing confirms it.
      const third = await waitFor(clock, 'an aborted console to be free', 5_000, () =>
        domains.openConsole(domain, { safe: true }).catch(() => undefined),
      );
      await third.close();
    });
  });

  it('takes a picture of the screen', async () => {
    const domain = await start('screen');
    await withFeature(subject, 'screenshot', async () => {
      const { mime, bytes } = await libvirt().domains.screenshot(domain);
      expect(mime).toMatch(/^image\//);
      expect(bytes.length).toBeGreaterThan(100);
    });
  });
}

function describeNetworks(subject: Subject, libvirt: () => Libvirt): void {
  it('defines, starts, changes and removes a network', async () => {
    const { networks } = libvirt();
    const network = await networks.define(subject.networkXml(`${PREFIX}net`));
    expect(await networks.lookupByName(network.name)).toStrictEqual(network);
    expect(await networks.lookupByUuid(network.uuid)).toStrictEqual(network);
    expect(await networks.isActive(network)).toBe(false);
    expect(await networks.list({ only: 'inactive' })).toContainEqual(network);
    await networks.start(network);
    expect(await networks.isActive(network)).toBe(true);
    expect(await networks.list({ only: 'active' })).toContainEqual(network);
    const bridge = await networks.getBridgeName(network);
    expect(await networks.getXml(network)).toContain(`<bridge name='${bridge}'`);
    await networks.setAutostart(network, false);
    await networks.destroy(network);
    await networks.undefine(network);
    await expect(networks.lookupByName(network.name)).rejects.toMatchObject({
      code: 'NO_NETWORK',
    });
  });

  it('fixes and frees a lease, live and stored', async () => {
    const { networks } = libvirt();
    const network = await networks.createXml(subject.networkXml(`${PREFIX}lease`));
    const [, prefix] = /address='(\d+\.\d+\.\d+)\.1'/.exec(await networks.getXml(network)) ?? [];
    const host = { ...HOST, ip: `${prefix}.20` };
    const live = { affect: 'live' } as const;
    await networks.addDhcpHost(network, host, live);
    expect(await networks.getXml(network)).toContain(HOST.mac);
    await expect(networks.addDhcpHost(network, host, live)).rejects.toMatchObject({
      code: 'OPERATION_INVALID',
    });
    await networks.deleteDhcpHost(network, host, live);
    expect(await networks.getXml(network)).not.toContain(HOST.mac);
    await withFeature(subject, 'dhcpLeases', async () => {
      expect(await networks.dhcpLeases(network)).toStrictEqual([]);
    });
  });

  it('keeps a fixed lease in the stored network', async () => {
    const { networks } = libvirt();
    const network = await networks.define(subject.networkXml(`${PREFIX}stored`));
    const [, prefix] = /address='(\d+\.\d+\.\d+)\.1'/.exec(await networks.getXml(network)) ?? [];
    const host = { ...HOST, ip: `${prefix}.21` };
    await networks.addDhcpHost(network, host, { affect: 'config' });
    await withFeature(subject, 'inactiveNetworkXml', async () => {
      expect(await networks.getXml(network, { inactive: true })).toContain(HOST.mac);
    });
  });
}
