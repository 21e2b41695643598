import { describe, expect, it } from 'vitest';
import { testPlan, testVmId } from '../testing.ts';
import { domainXml } from './domain-xml/domain.ts';
import { domainUuid, isOfInstance, isOwnedBy, vmIdOfDomain } from './names.ts';

const owner = { instance: 'local', hostName: 'host-1' };

describe('definitions', () => {
  it.each(['kvm', 'qemu'] as const)('of a %s domain', async (type) => {
    const text = domainXml(testPlan(1), type, owner);
    await expect(text).toMatchFileSnapshot(`fixtures/domain-${type}.xml`);
  });
});

describe('names', () => {
  it('finds a VM by its domain, and nothing by names of others', () => {
    expect(vmIdOfDomain(`fct-${testVmId(1)}`)).toBe(testVmId(1));
    expect(vmIdOfDomain('fct-web')).toBeUndefined();
    expect(vmIdOfDomain(`x-${testVmId(1)}`)).toBeUndefined();
    expect(domainUuid(testVmId(1))).toBe('01990000-0000-7000-a000-000000000001');
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
