import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  candidateName,
  chooseLinkName,
  gatewayMac,
  linkTag,
  namespaceName,
  nicIdentity,
  readNicIdentity,
  readTag,
  subnetOfNamespace,
} from './names.ts';
import { seenLink, testNic, testSubnet } from './testing.ts';

const subnet = testSubnet(1);

describe('names of links', () => {
  it('fit the 15 characters of the kernel, whatever they are made from', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(1000), (instance, identity, attempt) => {
        const name = candidateName(instance, 'tap', identity, attempt);
        expect(name).toMatch(/^fn[0-9a-f]{4}t[0-9a-f]{8}$/);
      }),
    );
  });

  it('are those of the tagged link, so they stay when others come and go', () => {
    const tagged = seenLink('fn0000b00000000', { alias: linkTag('lab', 'bridge', 'a') });
    expect(chooseLinkName('lab', 'bridge', 'a', [tagged])).toBe(tagged.name);
  });

  it('give way to another link of the same name', () => {
    const first = candidateName('lab', 'bridge', 'a', 0);
    const other = seenLink(first, { alias: linkTag('lab', 'bridge', 'b') });
    expect(chooseLinkName('lab', 'bridge', 'a', [other])).toBe(
      candidateName('lab', 'bridge', 'a', 1),
    );
  });

  it('take over a link that was left before it was tagged', () => {
    const first = candidateName('lab', 'bridge', 'a', 0);
    expect(chooseLinkName('lab', 'bridge', 'a', [seenLink(first)])).toBe(first);
  });
});

describe('tags', () => {
  it('tell a card in full', () => {
    const nic = testNic(subnet, 7);
    const ownerName = 'host-1.lab';
    const tag = linkTag('lab', 'tap', nicIdentity({ ...nic, ownerName }));
    const { vmId, subnetId, macAddress, ipAddress } = nic;
    expect(readTag('lab', tag)?.kind).toBe('tap');
    expect(readNicIdentity(readTag('lab', tag)?.identity ?? '')).toEqual({
      vmId,
      subnetId,
      macAddress,
      ipAddress,
      ownerName,
    });
    expect(tag.length).toBeLessThan(256);
  });

  it('of other instances are not ours', () => {
    expect(readTag('lab', linkTag('lab-2', 'bridge', subnet.subnetId))).toBeUndefined();
    const theirs = namespaceName('lab-2', subnet.subnetId);
    expect(subnetOfNamespace('lab', theirs)).toBeUndefined();
    expect(subnetOfNamespace('lab-2', theirs)).toBe(subnet.subnetId);
  });
});

it("gives a subnet's gateway a MAC of its own", () => {
  expect(gatewayMac(subnet.subnetId)).toMatch(/^02:fc(:[0-9a-f]{2}){4}$/);
});
