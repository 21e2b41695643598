import { fromUnits, type Resource } from '../protocol/index.ts';
import type { Supply, SupplyItem } from './supply.ts';
import type { Units } from './units.ts';

/** What somebody would get of an agent. */
export interface Grant {
  readonly items: readonly SupplyItem[];
  /** Of its scalars. */
  readonly units: Units;
  /** Quota allowed less than there is. */
  readonly isCut: boolean;
}

/**
 * The part of the supply that may be given: items that the taker can use, and of the scalars that
 * quota counts no more than it allows. What can't be cut is given whole or not at all. Pure.
 * @param allowance thousandths of the scalar at an index; `undefined`: no quota is in the way.
 */
export function grantOf(
  supply: Supply,
  canUse: (item: SupplyItem) => boolean,
  allowance: ((index: number) => number) | undefined,
): Grant {
  const items = supply.isForAll ? supply.items : supply.items.filter(canUse);
  const isWhole = items.length === supply.items.length;
  if (allowance === undefined) {
    return { items, units: isWhole ? supply.units : unitsOf(items), isCut: false };
  }
  const left = supply.open.map((open, index) => (open > 0 ? allowance(index) : 0));
  const isCut = supply.open.some((open, index) => open > (left[index] ?? 0));
  if (!isCut) return { items, units: isWhole ? supply.units : unitsOf(items), isCut };
  const taken = items.flatMap((item) => {
    if (!item.isOpen) return item;
    const most = Math.max(0, left[item.scalar] ?? 0);
    const part = partOf(item, most);
    if (part !== undefined) left[item.scalar] = most - part.units;
    return part ?? [];
  });
  return { items: taken, units: unitsOf(taken), isCut };
}

function partOf(item: SupplyItem, most: number): SupplyItem | undefined {
  if (item.units <= most) return item;
  if (!item.isDivisible || most <= 0) return undefined;
  return { ...item, units: most, resource: withUnits(item.resource, most) };
}

function withUnits(resource: Resource, units: number): Resource {
  return { ...resource, scalar: { value: fromUnits(units) } };
}

function unitsOf(items: readonly SupplyItem[]): Units {
  const units: number[] = [];
  for (const { scalar, units: count } of items) {
    if (scalar < 0) continue;
    while (units.length <= scalar) units.push(0);
    units[scalar] = (units[scalar] ?? 0) + count;
  }
  return units;
}
