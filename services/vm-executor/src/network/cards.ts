import type { VmNetwork } from '@factory/contracts';
import type { VmRecord } from '../vm/record.ts';
import type { Nic, SubnetOnHost } from './port.ts';

/** A network card with the subnet that it is in. */
export interface Card {
  readonly subnet: SubnetOnHost;
  readonly nic: Nic;
}

/** The domain of subnets that were not given one. */
const DEFAULT_DNS_DOMAIN = 'internal';

/** All cards that a VM's spec asks for, the first one first. Pure. */
export function cardsOf({
  vmId,
  spec,
  externalAddress = null,
}: Pick<VmRecord, 'vmId' | 'spec' | 'externalAddress'>): readonly Card[] {
  return [spec.network, ...(spec.nics ?? [])].map((network, index) => ({
    subnet: subnetOf(network),
    nic: {
      vmId,
      subnetId: network.subnetId,
      macAddress: network.macAddress,
      ipAddress: network.ipAddress,
      hostname: spec.hostname,
      securityRules: network.securityRules ?? [],
      externalAddress: index === 0 && spec.externalAddress === true ? externalAddress : null,
    },
  }));
}

function subnetOf(network: VmNetwork): SubnetOnHost {
  const { subnetId, cidr, gatewayAddress, vni, egress, dnsDomain } = network;
  return {
    ...{ subnetId, cidr, gatewayAddress },
    vni: vni ?? null,
    egress: egress ?? 'none',
    dnsDomain: dnsDomain ?? DEFAULT_DNS_DOMAIN,
  };
}
