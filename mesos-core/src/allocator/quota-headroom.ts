import type { Units } from './units.ts';

/**
 * What the quota of roles allows, in thousandths of scalars. A role consumes its quota, and that of
 * its ancestors, with what is reserved for it, used or not, and with what it holds unreserved
 * (Mesos' quota, version 2). Guarantees that are not consumed yet keep headroom free for them.
 */
export interface QuotaNode {
  readonly parent: QuotaNode | undefined;
  /** Of the role and its descendants. */
  readonly consumed: number[];
  /** Missing ones: 0. */
  guarantees: Units;
  /** Missing ones: infinite. */
  limits: Units;
  /** Headroom that must be kept free for the role and its descendants. */
  readonly required: number[];
  /** The part of {@link required} that descendants ask for. */
  readonly requiredByChildren: number[];
  /** Counts changes of consumption and quota. */
  changes: number;
}

/** Notes that the role consumes more (or less), and what headroom that leaves to be kept. */
export function changeConsumption(role: QuotaNode, units: Units, factor: 1 | -1): void {
  for (let index = 0; index < units.length; index += 1) {
    const change = factor * (units[index] ?? 0);
    if (change === 0) continue;
    let fromChild = 0;
    for (let node: QuotaNode | undefined = role; node !== undefined; node = node.parent) {
      fill(node.consumed, index, at(node.consumed, index) + change);
      node.changes += 1;
      fromChild = refresh(node, index, fromChild);
    }
  }
}

/** Works the required headroom out again after the quota of a role was set. */
export function refreshRequired(role: QuotaNode, scalars: number): void {
  role.changes += 1;
  for (let index = 0; index < scalars; index += 1) {
    let fromChild = 0;
    for (let node: QuotaNode | undefined = role; node !== undefined; node = node.parent) {
      fromChild = refresh(node, index, fromChild);
    }
  }
}

/** @returns by how much the node's own headroom changed. */
function refresh(node: QuotaNode, index: number, fromChild: number): number {
  const before = at(node.required, index);
  const byChildren = at(node.requiredByChildren, index) + fromChild;
  if (fromChild !== 0) fill(node.requiredByChildren, index, byChildren);
  // A guarantee that a limit forbids can never be given: nothing is kept for it.
  const after = Math.min(Math.max(unmet(node, index), byChildren), headroomToLimit(node, index));
  if (after !== before) fill(node.required, index, after);
  return after - before;
}

/**
 * How much the role may still be given towards guarantees of its own or of its ancestors, without
 * what these keep for other descendants.
 */
export function guaranteeLeft(role: QuotaNode, index: number): number {
  let left = 0;
  let child: QuotaNode | undefined;
  for (let node: QuotaNode | undefined = role; node !== undefined; node = node.parent) {
    left = Math.max(left, unmet(node, index) - requiredByOthers(node, child, index));
    child = node;
  }
  return left;
}

/**
 * How much more the role may consume before it, or an ancestor, meets a limit. What guarantees of
 * other descendants need of an ancestor's limit is not for this one.
 */
function limitLeft(role: QuotaNode, index: number): number {
  let left = Number.POSITIVE_INFINITY;
  let child: QuotaNode | undefined;
  for (let node: QuotaNode | undefined = role; node !== undefined; node = node.parent) {
    left = Math.min(left, headroomToLimit(node, index) - requiredByOthers(node, child, index));
    child = node;
  }
  return left;
}

/**
 * How much of an unreserved scalar the role may be given: up to its limits, and beyond its
 * guarantees only what nobody's headroom needs. Infinite without quota.
 * @param root its `required` is that of all roles.
 * @param available unreserved and free in the whole cluster.
 */
export function quotaAllowance(
  role: QuotaNode,
  root: QuotaNode,
  available: Units,
  index: number,
): number {
  const limit = limitLeft(role, index);
  const required = at(root.required, index);
  if (limit <= 0) return 0;
  if (required <= 0) return limit;
  const surplus = Math.max(0, at(available, index) - required);
  return Math.min(limit, guaranteeLeft(role, index) + surplus);
}

/** Headroom that the node's children need, but for the one on the way to the role. */
function requiredByOthers(node: QuotaNode, child: QuotaNode | undefined, index: number): number {
  return at(node.requiredByChildren, index) - (child === undefined ? 0 : at(child.required, index));
}

function unmet(node: QuotaNode, index: number): number {
  return Math.max(0, at(node.guarantees, index) - at(node.consumed, index));
}

function headroomToLimit(node: QuotaNode, index: number): number {
  const limit = node.limits[index];
  return limit === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(0, limit - at(node.consumed, index));
}

function at(units: Units, index: number): number {
  return units[index] ?? 0;
}

/** Sets one, without leaving a hole before it. */
function fill(units: number[], index: number, value: number): void {
  while (units.length < index) units.push(0);
  units[index] = value;
}
