import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunCommand } from '../src/network/commands.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';
import { openTestHost, type TestHost } from './network-hosts.ts';

const signal = AbortSignal.timeout(600_000);

/** The executor dies, as far as the host can see: no further command comes from it. */
class Killed extends Error {}

describe('a host whose executor dies amid its work', () => {
  const subnet = testSubnet(1, { egress: 'nat' });
  const nic = testNic(subnet, 1, {
    securityRules: [{ direction: 'in', protocol: 'icmp', action: 'accept' }],
    externalAddress: '203.0.113.9',
  });
  const peers = {
    subnetId: subnet.subnetId,
    epoch: 1,
    peers: [{ tunnelAddress: '192.0.2.2', nics: [testNic(subnet, 2)] }],
  };
  let host: TestHost;
  let nothing: unknown;

  beforeEach(async () => {
    host = await openTestHost({ tunnelAddress: '192.0.2.1' });
    // A network that the external address is of: the host answers for it.
    await host.run('ip link add name wan0 type bridge');
    await host.run('ip addr add 203.0.113.1/24 dev wan0');
    await host.run('ip link set dev wan0 up');
    nothing = await everything();
  });
  afterEach(async () => {
    await host.close();
  });

  /** All that a host has, found without asking the code under test. */
  async function everything(): Promise<unknown> {
    const links: { ifname?: string }[] = JSON.parse(await host.run('ip -json link show'));
    return {
      links: links.map(({ ifname }) => ifname),
      namespaces: await host.run('ip netns list'),
      rules: await host.run('nft list ruleset'),
      routes: await host.run('ip route show'),
      proxies: await host.run('ip neigh show proxy'),
      folders: await readdir(join(host.stateDir, 'subnets')).catch(() => []),
      servers: await processesWith(host.stateDir),
    };
  }

  /** The adapter of an executor that dies before its command `number`, or amid its list of commands `number`. */
  function doomed(number: number, isAmid: boolean) {
    let count = 0;
    let [isDead, hasEnded] = [false, false];
    const dying =
      (run: RunCommand): RunCommand =>
      async (argv, options) => {
        // One that is no list is done or not: amid it is before the next.
        const counts = !isAmid || argv.includes('-batch');
        if (!isDead && counts) count += 1;
        isDead ||= counts && count === number;
        if (!isDead) return await run(argv, options);
        const isLast = isAmid && counts && !hasEnded;
        hasEnded = true;
        if (!isLast) throw new Killed();
        const lines = (options.input ?? '').split('\n');
        const input = lines.slice(0, lines.length / 2).join('\n');
        await run(argv, { signal: options.signal, input });
        throw new Killed();
      };
    return { view: host.again(dying), wasKilled: () => isDead };
  }

  for (const isAmid of [false, true])
    it(`is put right by the next, and left with nothing (${isAmid ? 'amid each list of commands' : 'before each command'})`, async () => {
      await host.network.setPeers(peers, signal);
      for (let number = 1; ; number += 1) {
        const making = doomed(number, isAmid);
        await making.view.plug(subnet, nic, signal).catch(ignoreKilled);
        const tap = await host.network.plug(subnet, nic, signal);
        expect((await host.network.inventory(signal)).nics).toMatchObject([
          { tapName: tap, isAttached: true },
        ]);
        const removing = doomed(number, isAmid);
        await removing.view
          .unplug(nic, signal)
          .then(() => removing.view.dropUnused(signal))
          .catch(ignoreKilled);
        await host.network.unplug(nic, signal);
        await host.network.dropUnused(signal);
        expect(await everything(), `command ${number}`).toEqual(nothing);
        if (!making.wasKilled() && !removing.wasKilled()) break;
      }
    }, 300_000);

  it('finds what nobody else will remove', async () => {
    const died = doomed(5, false);
    await died.view.plug(subnet, nic, signal).catch(ignoreKilled);
    await host.network.dropUnused(signal);
    expect(await everything()).toEqual(nothing);
  });

  it('has its networks back when somebody has torn them down', async () => {
    await host.network.plug(subnet, nic, signal);
    const bridges: { ifname: string }[] = JSON.parse(
      await host.run('ip -json link show type bridge'),
    );
    for (const { ifname } of bridges) await host.run(`ip link del dev ${ifname}`);
    await host.run('nft flush ruleset');
    expect((await host.network.inventory(signal)).nics).toMatchObject([{ isAttached: false }]);
    await host.network.plug(subnet, nic, signal);
    expect((await host.network.inventory(signal)).nics).toMatchObject([{ isAttached: true }]);
    expect(await host.run('nft list ruleset')).toContain(nic.macAddress);
    expect(await host.run('ip route show')).toContain(nic.externalAddress);
  });
});

/** Ids of processes with this text in their command line. */
async function processesWith(text: string): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')),
  );
  return ids.filter((_, index) => lines[index]?.includes(text));
}

function ignoreKilled(error: unknown): void {
  if (!(error instanceof Killed)) throw error;
}
