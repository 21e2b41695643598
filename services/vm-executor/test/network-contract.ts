import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { VmFailure } from '../src/failures.ts';
import type { HostNetworkPort } from '../src/network/port.ts';
import { testNic, testSubnet } from '../src/network/testing.ts';

/** The networks of a host under test, empty at first. */
export interface NetworkHarness {
  readonly network: HostNetworkPort;
  close(): Promise<void>;
}

const signal = AbortSignal.timeout(300_000);

/** What every adapter of the port does alike. */
export function describeHostNetwork(name: string, open: () => Promise<NetworkHarness>): void {
  describe(`host network: ${name}`, () => {
    let harness: NetworkHarness;
    let network: HostNetworkPort;
    const subnet = testSubnet(1);
    const other = testSubnet(2, { egress: 'nat' });
    const nic = testNic(subnet, 1);

    beforeAll(async () => {
      harness = await open();
      network = harness.network;
    });
    afterAll(async () => {
      await harness.close();
    });
    afterEach(async () => {
      for (const each of (await network.inventory(signal)).nics) await network.unplug(each, signal);
      await network.dropUnused(signal);
    });

    it('plugs a card into its subnet, and tells of it', async () => {
      const tapName = await network.plug(subnet, nic, signal);
      expect(tapName.length).toBeLessThanOrEqual(15);
      const { vmId, subnetId, macAddress, ipAddress } = nic;
      expect(await network.inventory(signal)).toEqual({
        nics: [{ vmId, subnetId, macAddress, ipAddress, ownerName: '', tapName, isAttached: true }],
        subnetIds: [subnetId],
        strays: [],
      });
    });

    it('knows its own cards from those of other agents on the host', async () => {
      network.identify('host-1');
      await network.plug(subnet, nic, signal);
      network.identify('host 2');
      await network.plug(subnet, testNic(subnet, 2), signal);
      const own = async () =>
        (await network.inventory(signal)).nics
          .filter((each) => network.isOwn(each))
          .map(({ ipAddress }) => ipAddress);
      expect(await own()).toEqual(['10.80.1.2']);
      // A VM that is here now is not unplugged by the host that it left.
      await network.unplugVm(nic.vmId, [nic], signal);
      expect((await network.inventory(signal)).nics).toHaveLength(2);
      // It is here once it is plugged here.
      await network.plug(subnet, nic, signal);
      expect(await own()).toHaveLength(2);
      await network.unplugVm(nic.vmId, [], signal);
      expect(await own()).toEqual(['10.80.1.2']);
      await network.removeAll(signal);
      expect(await network.inventory(signal)).toEqual({ nics: [], subnetIds: [], strays: [] });
      network.identify('');
    });

    it('does everything twice as if once', async () => {
      await network.ensureSubnet(other, signal);
      await network.ensureSubnet(other, signal);
      const tapName = await network.plug(subnet, nic, signal);
      expect(await network.plug(subnet, nic, signal)).toBe(tapName);
      const peers = { subnetId: subnet.subnetId, epoch: 1, peers: [] };
      await network.setPeers(peers, signal);
      await network.setPeers(peers, signal);
      await network.setRules(subnet, nic, signal);
      await network.setRules(subnet, nic, signal);
      expect((await network.inventory(signal)).subnetIds).toEqual([
        subnet.subnetId,
        other.subnetId,
      ]);
      await network.unplug(nic, signal);
      await network.unplug(nic, signal);
      expect(await network.dropUnused(signal)).toEqual([other.subnetId]);
      expect(await network.dropUnused(signal)).toEqual([]);
    });

    it('gives the same addresses in different subnets', async () => {
      const twin = testNic(other, 1);
      expect([twin.macAddress, twin.ipAddress]).toEqual([nic.macAddress, nic.ipAddress]);
      const taps = [
        await network.plug(subnet, nic, signal),
        await network.plug(other, twin, signal),
      ];
      expect(new Set(taps).size).toBe(2);
    });

    it('gives an address or a MAC of one subnet to one card only', async () => {
      await network.plug(subnet, nic, signal);
      const { macAddress, ipAddress } = nic;
      for (const same of [{ macAddress }, { ipAddress }])
        await expect(network.plug(subnet, testNic(subnet, 2, same), signal)).rejects.toThrow(
          VmFailure,
        );
      expect((await network.inventory(signal)).nics).toHaveLength(1);
    });

    it('gives a card another address', async () => {
      await network.plug(subnet, nic, signal);
      await network.plug(subnet, { ...nic, ipAddress: '10.80.1.200' }, signal);
      const { nics } = await network.inventory(signal);
      expect(nics.map(({ ipAddress }) => ipAddress)).toEqual(['10.80.1.200']);
    });

    it('keeps a subnet for as long as it has a card', async () => {
      const second = testNic(subnet, 2);
      await network.plug(subnet, nic, signal);
      await network.plug(subnet, second, signal);
      await network.unplug(nic, signal);
      expect((await network.inventory(signal)).subnetIds).toEqual([subnet.subnetId]);
      await network.unplug(second, signal);
      expect(await network.inventory(signal)).toEqual({ nics: [], subnetIds: [], strays: [] });
    });

    it('gives an external address to one card, of whatever subnet, until that has it no more', async () => {
      const externalAddress = '203.0.113.9';
      await network.plug(other, testNic(other, 1, { externalAddress }), signal);
      expect(await network.externalAddresses(signal)).toEqual([externalAddress]);
      const rival = { ...nic, externalAddress };
      await expect(network.plug(subnet, rival, signal)).rejects.toThrow(VmFailure);
      await network.unplug(rival, signal);
      await network.plug(other, testNic(other, 1), signal);
      expect(await network.externalAddresses(signal)).toEqual([]);
      await network.plug(subnet, rival, signal);
      expect(await network.externalAddresses(signal)).toEqual([externalAddress]);
      await network.unplug(rival, signal);
      expect(await network.externalAddresses(signal)).toEqual([]);
    });

    it('refuses rules for a card that is not plugged', async () => {
      await expect(network.setRules(subnet, nic, signal)).rejects.toThrow(VmFailure);
    });

    it('refuses rules that are none', async () => {
      const bad = [{ direction: 'in', protocol: 'any', cidr: 'x', action: 'accept' }] as const;
      await network.plug(subnet, nic, signal);
      const spoiled = { ...nic, securityRules: bad };
      await expect(network.setRules(subnet, spoiled, signal)).rejects.toThrow(VmFailure);
    });

    it('is told of peers before it has the subnet', async () => {
      const { subnetId } = subnet;
      await network.setPeers(
        { subnetId, epoch: 2, peers: [{ tunnelAddress: '192.0.2.9', nics: [] }] },
        signal,
      );
      await network.plug(subnet, nic, signal);
      await network.setPeers({ subnetId, epoch: 3, peers: [] }, signal);
    });

    it('does nothing once its signal has aborted', async () => {
      await expect(network.plug(subnet, nic, AbortSignal.abort())).rejects.toThrow();
      expect((await network.inventory(signal)).nics).toEqual([]);
    });
  });
}
