import type { NicRequest, SecurityRule, SubnetId, VmNetwork } from '@factory/contracts';
import type { BatchNic, BatchRecord } from '../batches/store.ts';
import type { VmCard, VmRecord } from '../vms/store.ts';
import { doOverlap, gatewayAddress, offsetOf, usableAddresses } from './addresses.ts';
import type { SubnetRecord } from './store.ts';

/** The subnet of machines whose batch does not say. */
export const DEFAULT_SUBNET = 'default';

/** Why a batch can't have the cards that it wants; `field` is of its request. */
export type CardRefusal =
  | { readonly kind: 'noSubnet'; readonly field: string; readonly name: string }
  | { readonly kind: 'badCard'; readonly field: string; readonly detail: string }
  | { readonly kind: 'subnetFull'; readonly subnet: string; readonly addresses: number };

/** The cards of a batch with the subnets' ids instead of their names. */
export function resolveCards(
  cards: readonly NicRequest[],
  subnets: readonly SubnetRecord[],
  { size, wishes }: Pick<BatchRecord, 'size' | 'wishes'>,
): { readonly kind: 'sound'; readonly nics: readonly BatchNic[] } | CardRefusal {
  const nics: BatchNic[] = [];
  const before: SubnetRecord[] = [];
  for (const [index, { subnet: name, ipAddress }] of cards.entries()) {
    const subnet = subnets.find((each) => each.id === name || each.name === name);
    if (subnet === undefined)
      return { kind: 'noSubnet', field: fieldOfCard(index, 'subnet'), name };
    const rival = before.find((each) => doOverlap(each.cidr, subnet.cidr));
    if (rival !== undefined) {
      const detail = describeRival(subnet, rival);
      return { kind: 'badCard', field: fieldOfCard(index, 'subnet'), detail };
    }
    before.push(subnet);
    const addresses = usableAddresses(subnet.cidr);
    if (size.kind === 'count' && size.count > addresses) {
      return { kind: 'subnetFull', subnet: subnet.name, addresses };
    }
    if (index === 0 && wishes.externalAddress === true && subnet.egress !== 'nat') {
      return { kind: 'badCard', field: 'externalAddress', detail: describeNoEgress(subnet) };
    }
    const place = ipAddress === undefined ? undefined : offsetOf(subnet.cidr, ipAddress);
    if (place !== undefined && 'problem' in place) {
      return { kind: 'badCard', field: fieldOfCard(index, 'ipAddress'), detail: place.problem };
    }
    nics.push({ subnetId: subnet.id, offset: place?.offset ?? null });
  }
  return { kind: 'sound', nics };
}

/** Why a machine in this subnet can't have an external address, and what to do. */
export function describeNoEgress({ name }: SubnetRecord): string {
  return (
    `machines in ${name} can't answer the world, as it has no egress; let it have one: ` +
    `./factory subnet change ${name} --egress nat`
  );
}

/** Of two cards whose networks are the same, a guest uses one. */
function describeRival(subnet: SubnetRecord, rival: SubnetRecord): string {
  if (subnet.id === rival.id) return `a machine can have one card in ${subnet.name}, not two`;
  const ranges = `${subnet.cidr} of ${subnet.name} and ${rival.cidr} of ${rival.name}`;
  return `a machine can't have cards in both ${ranges}: it could not tell them apart`;
}

/** Where a request says something of a card. */
export function fieldOfCard(index: number, part: 'subnet' | 'ipAddress'): string {
  return index === 0 ? `network.${part}` : `nics[${index - 1}].${part}`;
}

/** A machine's cards, the first one first; none while it waits for addresses. */
export function cardsOf(vm: VmRecord): readonly VmCard[] {
  const { subnetId, addressOffset, ipAddress, macAddress, nics } = vm;
  if (addressOffset === null || ipAddress === null || macAddress === null) return [];
  return [{ subnetId, addressOffset, ipAddress, macAddress }, ...nics];
}

/** The machine with these cards. */
export function withCards(vm: VmRecord, cards: readonly VmCard[]): VmRecord {
  const [first, ...nics] = cards;
  return first === undefined ? vm : { ...vm, ...first, nics };
}

/**
 * A machine's cards as its host is told of them.
 * @throws Error when it has no addresses yet, or a subnet is missing.
 */
export function networksOf(
  vm: VmRecord,
  rulesOfBatch: readonly SecurityRule[],
  subnets: ReadonlyMap<SubnetId, SubnetRecord>,
): readonly [VmNetwork, ...VmNetwork[]] {
  const [first, ...further] = cardsOf(vm).map((card): VmNetwork => {
    const subnet = subnets.get(card.subnetId);
    if (subnet === undefined)
      throw new Error(`${vm.id} is in ${card.subnetId}, which is not known`);
    const { id: subnetId, cidr, vni, egress, dnsDomain, securityRules } = subnet;
    const { ipAddress, macAddress } = card;
    const place = { subnetId, cidr, gatewayAddress: gatewayAddress(cidr), ipAddress, macAddress };
    const rules = [...rulesOfBatch, ...securityRules];
    return { ...place, ...(vni === null ? {} : { vni }), egress, dnsDomain, securityRules: rules };
  });
  if (first === undefined) throw new Error(`${vm.id} has no address`);
  return [first, ...further];
}
