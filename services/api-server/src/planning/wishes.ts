import {
  compileRequirements,
  describeRule,
  externalAddressesOf,
  type HostCapacity,
  hardwareResources,
  type PlacementWishes,
  resourceWords,
  type Shape,
  unmetHardwareRule,
  type VmHardware,
} from '@factory/contracts';

/** What machines wish of their hosts. */
export type HostWishes = PlacementWishes & { readonly hardware?: VmHardware | undefined };

/** The hosts that are as required. */
export function hostsAsRequired(
  { requirements = [], hardware, externalAddress = false }: HostWishes,
  hosts: readonly HostCapacity[],
): readonly HostCapacity[] {
  const isAsRequired = compileRequirements(requirements);
  return hosts.filter(
    ({ attributes }) =>
      isAsRequired(attributes) &&
      (attributes === undefined || unmetHardwareRule(hardware, attributes) === undefined) &&
      (attributes === undefined || !externalAddress || externalAddressesOf(attributes).length > 0),
  );
}

/** `, 3 hosts are not as required (rack is r1)`; nothing when all are. */
export function describeUnmet(wishes: HostWishes, hosts: readonly HostCapacity[]): string {
  const count = hosts.length - hostsAsRequired(wishes, hosts).length;
  if (count === 0) return '';
  const hardwareRule = unmetHardwareRule(wishes.hardware, []);
  const required = [...(wishes.requirements ?? []), ...(hardwareRule ? [hardwareRule] : [])];
  const external = wishes.externalAddress === true ? ['has external addresses'] : [];
  const rules = [...required.map(describeRule), ...external].join(', ');
  const are = count === 1 ? '1 host is' : `${count} hosts are`;
  return `, ${are} not as required (${rules})`;
}

/** What a machine of the shape takes of the resources that only few hosts have. */
export function scarceNeed(wishes: HostWishes, shape: Shape): Readonly<Record<string, number>> {
  return { ...wishes.resources, ...hardwareResources({ ...shape, hardware: wishes.hardware }) };
}

/**
 * `, no host has 1 GiB huge pages`, or `, 2 hosts have too few graphics cards free`, for a machine
 * of the shape; nothing about what there is enough of.
 */
export function describeScarce(
  wishes: HostWishes,
  shape: Shape,
  hosts: readonly HostCapacity[],
): string {
  const needs = Object.entries(scarceNeed(wishes, shape));
  return needs.map(([name, amount]) => scarceWords(name, amount, hosts)).join('');
}

function scarceWords(name: string, amount: number, hosts: readonly HostCapacity[]): string {
  const told = hosts.flatMap(({ resources }) => (resources === undefined ? [] : [resources[name]]));
  if (told.length < hosts.length || hosts.length === 0) return '';
  const words = resourceWords(name);
  if (told.every((each) => (each?.total ?? 0) === 0)) return `, no host has ${words}`;
  if (told.every((each) => (each?.total ?? 0) < amount)) {
    return `, no host has ${amount} ${words}`;
  }
  const full = told.filter((each) => (each?.free ?? 0) < amount).length;
  if (full === 0) return '';
  const have = full === 1 ? '1 host has' : `${full} hosts have`;
  return `, ${have} too few ${words} free`;
}
