import { describe, expect, it } from 'vitest';
import { testLease, testPlan, testVmId } from '../testing.ts';
import { domainXml } from './domain-xml/domain.ts';
import { admitScript } from './firewall.ts';
import {
  bridgeName,
  domainUuid,
  isNetworkOf,
  isOfInstance,
  isOwnedBy,
  networkName,
  vmIdOfDomain,
} from './names.ts';
import { networkXml } from './network-xml.ts';

const owner = { instance: 'local', hostName: 'host-1' };

describe('definitions', () => {
  it.each(['kvm', 'qemu'] as const)('of a %s domain', async (type) => {
    const text = domainXml(testPlan(1), type, owner);
    await expect(text).toMatchFileSnapshot(`fixtures/domain-${type}.xml`);
  });

  it('of a network', async () => {
    const text = networkXml('local', [testLease(1), testLease(2)]);
    await expect(text).toMatchFileSnapshot('fixtures/network.xml');
  });

  it('of the firewall', async () => {
    await expect(admitScript('local', 'fctabcd12345678')).toMatchFileSnapshot(
      'fixtures/firewall.nft',
    );
  });
});

describe('names', () => {
  const { subnetId } = testLease(1);

  it('finds a VM by its domain, and nothing by names of others', () => {
    expect(vmIdOfDomain(`fct-${testVmId(1)}`)).toBe(testVmId(1));
    expect(vmIdOfDomain('fct-web')).toBeUndefined();
    expect(vmIdOfDomain(`x-${testVmId(1)}`)).toBeUndefined();
    expect(domainUuid(testVmId(1))).toBe('01990000-0000-7000-a000-000000000001');
  });

  it('fits bridges into what the kernel allows', () => {
    const name = bridgeName('an-instance-with-a-very-long-name', subnetId);
    expect(name).toMatch(/^fct[0-9a-f]{12}$/);
    expect(name).not.toBe(bridgeName('another', subnetId));
  });

  it('tells the networks of instances apart, also when one name begins with the other', () => {
    expect(isNetworkOf(networkName('a', subnetId), 'a')).toBe(true);
    expect(isNetworkOf(networkName('a-b', subnetId), 'a')).toBe(false);
    expect(isNetworkOf('default', 'a')).toBe(false);
  });

  it('knows its own domains by their metadata, as libvirt prints them', () => {
    const text = domainXml(testPlan(1), 'qemu', owner);
    const printed = text.replaceAll("'", '"');
    for (const each of [text, printed]) {
      expect(isOwnedBy(each, owner)).toBe(true);
      expect(isOfInstance(each, 'local')).toBe(true);
      expect(isOwnedBy(each, { ...owner, hostName: 'host-2' })).toBe(false);
      expect(isOfInstance(each, 'other')).toBe(false);
    }
    expect(isOfInstance('<domain><name>fct-x</name></domain>', 'local')).toBe(false);
  });
});
