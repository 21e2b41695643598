import type { SubnetId, VmId } from '@factory/contracts';
import type { SeenLink } from './observe.ts';
import type { Nic, SubnetOnHost } from './port.ts';

/** A subnet for tests; all have the same range. */
export function testSubnet(number: number, more: Partial<SubnetOnHost> = {}): SubnetOnHost {
  return {
    subnetId: `sub_${hex(number)}` as SubnetId,
    vni: 100 + number,
    cidr: '10.80.0.0/16',
    gatewayAddress: '10.80.0.1',
    egress: 'none',
    dnsDomain: 'lab.internal',
    ...more,
  };
}

/** Card `number` (1 to 200) of a subnet for tests: `10.80.1.<number>`, `vm-<number>`. */
export function testNic(subnet: SubnetOnHost, number: number, more: Partial<Nic> = {}): Nic {
  return {
    vmId: `vm_${hex(number + (subnet.vni ?? 0) * 1000)}` as VmId,
    subnetId: subnet.subnetId,
    macAddress: `52:54:00:00:00:${number.toString(16).padStart(2, '0')}`,
    ipAddress: `10.80.1.${number}`,
    hostname: `vm-${number}`,
    securityRules: [],
    externalAddress: null,
    ...more,
  };
}

/** A link as it would be seen. */
export function seenLink(name: string, more: Partial<SeenLink> = {}): SeenLink {
  return { name, alias: null, master: null, isUp: true, vxlan: null, ...more };
}

function hex(number: number): string {
  return number.toString(16).padStart(32, '0');
}
