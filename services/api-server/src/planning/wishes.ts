import {
  compileRequirements,
  describeRule,
  type HostCapacity,
  type PlacementWishes,
} from '@factory/contracts';

/** The hosts that are as required. */
export function hostsAsRequired(
  { requirements = [] }: PlacementWishes,
  hosts: readonly HostCapacity[],
): readonly HostCapacity[] {
  const isAsRequired = compileRequirements(requirements);
  return hosts.filter(({ attributes }) => isAsRequired(attributes));
}

/** `, 3 hosts are not as required (rack is r1)`; nothing when all are. */
export function describeUnmet(wishes: PlacementWishes, hosts: readonly HostCapacity[]): string {
  const count = hosts.length - hostsAsRequired(wishes, hosts).length;
  if (count === 0) return '';
  const rules = (wishes.requirements ?? []).map(describeRule).join(', ');
  const are = count === 1 ? '1 host is' : `${count} hosts are`;
  return `, ${are} not as required (${rules})`;
}
