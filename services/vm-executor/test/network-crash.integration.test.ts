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
      folders: await readdir(join(host.stateDir, 'subnets')).catch(() => []),
      servers: await processesWith(host.stateDir),
    };
  }

  /** The adapter of an executor that dies before its command `number`, or amid it. */
  function doomed(number: number, isAmid: boolean) {
    let count = 0;
    const dying =
      (run: RunCommand): RunCommand =>
      async (argv, options) => {
        count += 1;
        if (count < number) return await run(argv, options);
        if (count > number || !isAmid) throw new Killed();
        // Of a list of commands the first half is done; a single one is.
        const lines = (options.input ?? '').split('\n');
        const isList = argv.includes('-batch');
        const input = isList ? lines.slice(0, lines.length / 2).join('\n') : options.input;
        await run(argv, { signal: options.signal, ...(input === undefined ? {} : { input }) });
        throw new Killed();
      };
    return { view: host.again(dying), wasKilled: () => count >= number };
  }

  for (const isAmid of [false, true])
    it(`is put right by the next, and left with nothing (${isAmid ? 'amid' : 'before'} each command)`, async () => {
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
    const died = doomed(4, true);
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
