import {
  equalResource,
  identityOf,
  isIndivisible,
  type Resource,
  type Resources,
  reservationsOf,
  toUnits,
} from '../protocol/index.ts';
import type { ScalarNames } from './units.ts';

/** One of an agent's free resources, with what decides who may have it. */
export interface SupplyItem {
  readonly resource: Resource;
  /** What it is, apart from how much. */
  readonly identity: string;
  /** Index of the scalar's name; -1 for what is not a scalar. */
  readonly scalar: number;
  /** Of a scalar, in thousandths. */
  readonly units: number;
  /** `*` when it is unreserved. */
  readonly reservedFor: string;
  readonly isRefined: boolean;
  readonly isRevocable: boolean;
  readonly isShared: boolean;
  /** An unreserved scalar that quota counts. */
  readonly isOpen: boolean;
  readonly isDivisible: boolean;
}

/** All that an agent has to offer at the moment. */
export interface Supply {
  readonly items: readonly SupplyItem[];
  /** Every framework of every role may have all of it, as far as quota goes. */
  readonly isForAll: boolean;
  /** Of all scalars. */
  readonly units: readonly number[];
  /** Of those scalars that quota counts. */
  readonly open: readonly number[];
  /** There is nothing but volumes that tasks share already. */
  readonly isExhausted: boolean;
}

/** What the resources, which nobody has, are as an offer. Pure, but for new names. */
export function supplyOf(free: Resources, names: ScalarNames): Supply {
  const items = free.map((resource) => itemOf(resource, names));
  const units: number[] = [];
  const open: number[] = [];
  for (const item of items) {
    if (item.scalar < 0) continue;
    addAt(units, item.scalar, item.units);
    addAt(open, item.scalar, item.isOpen ? item.units : 0);
  }
  return {
    items,
    units,
    open,
    isForAll: items.every(
      ({ reservedFor, isRevocable, isShared }) => reservedFor === '*' && !isRevocable && !isShared,
    ),
    isExhausted: items.every(({ isShared }) => isShared),
  };
}

/** Whether both offer the same, in the same order. */
export function equalSupplies(a: Supply, b: Supply | undefined): boolean {
  if (b === undefined || a.items.length !== b.items.length) return false;
  return a.items.every((item, index) => {
    const other = b.items[index];
    if (other === undefined || item.identity !== other.identity) return false;
    if (item.scalar >= 0) return item.units === other.units;
    return equalResource(item.resource, other.resource);
  });
}

/** Whether quota counts the resource as consumed by who holds it, or for whom it is free. */
export function isOpenScalar(resource: Resource): boolean {
  return (
    resource.type === 'SCALAR' &&
    resource.revocable === undefined &&
    resource.shared === undefined &&
    reservationsOf(resource).length === 0
  );
}

function itemOf(resource: Resource, names: ScalarNames): SupplyItem {
  const reservations = reservationsOf(resource);
  const isScalar = resource.type === 'SCALAR';
  return {
    resource,
    identity: identityOf(resource),
    scalar: isScalar ? names.indexOf(resource.name) : -1,
    units: isScalar ? toUnits(resource.scalar?.value ?? 0) : 0,
    reservedFor: reservations.at(-1)?.role ?? '*',
    isRefined: reservations.length > 1,
    isRevocable: resource.revocable !== undefined,
    isShared: resource.shared !== undefined,
    isOpen: isOpenScalar(resource),
    isDivisible: !isIndivisible(resource),
  };
}

function addAt(units: number[], index: number, count: number): void {
  while (units.length <= index) units.push(0);
  units[index] = (units[index] ?? 0) + count;
}
