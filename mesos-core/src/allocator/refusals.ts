import {
  containsRanges,
  containsSets,
  identityOf,
  type Resource,
  type Resources,
  toUnits,
} from '../protocol/index.ts';
import type { SupplyItem } from './supply.ts';

/** Resources of one agent that a framework does not want under one role, nor any part of them. */
export interface Refusal {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly expiresAtMs: number;
  /** The last supply it was asked about, as whole offers are mostly the same ones again. */
  lastItems?: readonly SupplyItem[];
  lastAnswer?: boolean;
}

/** Refusals of one agent that are kept for a client; one that makes more has its oldest forgotten. */
const REFUSALS_PER_AGENT_MAX = 100;

/** A refusal of the resources (without allocation marks). */
export function refusalOf(resources: Resources, expiresAtMs: number): Refusal {
  const byIdentity = new Map(resources.map((resource) => [identityOf(resource), resource]));
  return { resources: byIdentity, expiresAtMs };
}

/** Adds a refusal; those that it makes superfluous go. */
export function withRefusal(refusals: readonly Refusal[], added: Refusal): readonly Refusal[] {
  const others = refusals.filter((old) => !isSuperfluous(old, added));
  return [...others, added].slice(-REFUSALS_PER_AGENT_MAX);
}

/** Whether all of the items were refused together. */
export function isRefused(refusal: Refusal, items: readonly SupplyItem[]): boolean {
  if (refusal.lastItems === items && refusal.lastAnswer !== undefined) return refusal.lastAnswer;
  const answer = items.every((item) => isWithin(item.resource, item.identity, refusal));
  refusal.lastItems = items;
  refusal.lastAnswer = answer;
  return answer;
}

function isSuperfluous(old: Refusal, by: Refusal): boolean {
  if (old.expiresAtMs > by.expiresAtMs) return false;
  return [...old.resources].every(([identity, resource]) => isWithin(resource, identity, by));
}

function isWithin(resource: Resource, identity: string, { resources }: Refusal): boolean {
  const refused = resources.get(identity);
  if (refused === undefined) return false;
  switch (resource.type) {
    case 'SCALAR':
      return toUnits(resource.scalar?.value ?? 0) <= toUnits(refused.scalar?.value ?? 0);
    case 'RANGES':
      return containsRanges(refused.ranges?.range ?? [], resource.ranges?.range ?? []);
    case 'SET':
      return containsSets(refused.set?.item ?? [], resource.set?.item ?? []);
    case 'TEXT':
      return false;
  }
}
