import { describe, expect, it } from 'vitest';
import { VmFailure } from '../failures.ts';
import { hostRulesScript } from './host-rules.ts';
import { nicRulesScript, removeNicRulesScript } from './nic-rules.ts';

const FACTS = {
  instance: 'lab',
  tapName: 'fnt1',
  bridgeName: 'fnb1',
  macAddress: '52:54:00:00:00:01',
  ipAddress: '10.80.1.1',
  gatewayAddress: '10.80.0.1',
};

describe('the rules of a card', () => {
  it('let it send in its own name only', () => {
    const own = nicRulesScript({ ...FACTS, securityRules: [] })
      .split('\n')
      .filter((line) => line.startsWith('add rule bridge'));
    expect(own.map((line) => line.replace('add rule bridge fctnet-lab own-fnt1 ', ''))).toEqual([
      'ether saddr != 52:54:00:00:00:01 drop',
      'ether type vlan drop',
      'meta pkttype { broadcast, multicast } limit rate over 500/second burst 1000 packets drop',
      'arp saddr ether 52:54:00:00:00:01 arp saddr ip { 0.0.0.0, 10.80.1.1 } accept',
      'udp sport 67 drop',
      'ip saddr 10.80.1.1 accept',
      'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
      'drop',
    ]);
  });

  it('close a direction that has rules, and leave the other open', () => {
    const script = nicRulesScript({
      ...FACTS,
      securityRules: [
        {
          direction: 'in',
          protocol: 'tcp',
          ports: [22, 22],
          cidr: '10.80.7.9/24',
          action: 'accept',
        },
        { direction: 'in', protocol: 'icmp', action: 'accept' },
      ],
    });
    const into = script.split('\n').filter((line) => /^add rule .* in-fnt1 /.test(line));
    expect(into).toContain(
      'add rule inet fctnet-lab in-fnt1 ip saddr 10.80.7.0/24 tcp dport 22-22 return',
    );
    expect(into.at(-1)).toBe('add rule inet fctnet-lab in-fnt1 drop');
    expect(script).not.toContain('out-fnt1 drop');
  });

  it('refuse what is no address, so that nothing else gets into a script', () => {
    const bad = [
      { ...FACTS, macAddress: '52:54:00:00:00:01\nflush ruleset' },
      { ...FACTS, ipAddress: '10.80.1.1 accept' },
      { ...FACTS, ipAddress: '10.80.1.256' },
    ];
    for (const facts of bad)
      expect(() => nicRulesScript({ ...facts, securityRules: [] })).toThrow(VmFailure);
    const rule = { direction: 'in', protocol: 'any', action: 'drop' } as const;
    for (const cidr of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/8;'])
      expect(() => nicRulesScript({ ...FACTS, securityRules: [{ ...rule, cidr }] })).toThrow(
        VmFailure,
      );
    const ports = [1, 2] as [number, number];
    expect(() => nicRulesScript({ ...FACTS, securityRules: [{ ...rule, ports }] })).toThrow(
      VmFailure,
    );
  });

  it('add what they remove, so removal fails at nothing', () => {
    const lines = removeNicRulesScript(FACTS).trim().split('\n');
    for (const line of lines.filter((each) => each.startsWith('delete element'))) {
      const element = line.replace('delete ', '').replace(' }', '');
      expect(lines.some((each) => each.startsWith(`add ${element}`))).toBe(true);
    }
  });
});

it('the rules of a host name peers and protected ranges once each', () => {
  const script = hostRulesScript({
    instance: 'lab',
    vxlanPort: 4789,
    peerAddresses: ['192.0.2.2', '192.0.2.1', '192.0.2.2'],
    protectedRanges: ['192.0.2.0/24'],
  });
  expect(script).toContain('peers { 192.0.2.1, 192.0.2.2 }');
  expect(script).toContain('protected { 169.254.0.0/16, 192.0.2.0/24 }');
});
