import {
  type AttributeRule,
  compileRequirements,
  describeRule,
  type HostAttribute,
  type PlacementGroup,
  type PlacementPolicy,
  unmetHardwareRule,
  type VmHardware,
} from '@factory/contracts';
import type { Amounts } from './placement-amounts.ts';

/** Room that is kept at an agent for a VM, or a group, that has waited for long. */
export interface AgentHold {
  /** See {@link holderOf}. */
  readonly holder: string;
  readonly need: Amounts;
  /** What machines there take that are being removed: it is free in a moment. */
  readonly leaving: Amounts;
}

/** What is on offer at one agent, all its offers together. */
export interface AgentOffer {
  readonly agentId: string;
  readonly hostName: string;
  readonly free: Amounts;
  /** Whether the VM executor already runs there; if not, its own resources come on top. */
  readonly hasExecutor: boolean;
  /** What the factory's machines take there already. */
  readonly used?: Amounts | undefined;
  readonly attributes?: readonly HostAttribute[] | undefined;
  /** Images (versions, or names) that need not be fetched there. */
  readonly images?: ReadonlySet<string> | undefined;
  /** Why no new VM goes there. */
  readonly closedBy?: 'drain' | 'quarantine' | undefined;
  /** How many new VMs may go there now; an agent on probation gets one at a time. */
  readonly launchesMax?: number | undefined;
  readonly hold?: AgentHold | undefined;
}

/** A VM's membership: one group is one project's, one name's and one rule's. */
export interface GroupMembership {
  readonly key: string;
  readonly rule: PlacementGroup['rule'];
}

export interface PlacementRequest {
  readonly vmId: string;
  readonly need: Amounts;
  /** The only agent that will do: the one with its disk. Nothing but room counts then. */
  readonly boundAgentId: string | null;
  readonly requirements?: readonly AttributeRule[] | undefined;
  /** Decides by the attributes of a host; what of it has amounts is in `need`. */
  readonly hardware?: VmHardware | undefined;
  readonly group?: GroupMembership | undefined;
  /** `spread` when it does not say. */
  readonly policy?: PlacementPolicy | undefined;
  /** Version, or name, of its image. */
  readonly image?: string | undefined;
}

/** In whose name room is held: a VM's, or that of the group that must be on one host. */
export function holderOf({ vmId, group }: PlacementRequest): string {
  return group?.rule === 'affinity' ? group.key : vmId;
}

/** How many members of a group each agent has, in this cluster. */
export type MembersOf = (groupKey: string) => ReadonlyMap<string, number>;

/** Why an agent is out of the question for a VM, whatever room it has. */
export type Obstacle =
  | { readonly kind: 'attribute'; readonly rule: AttributeRule }
  | { readonly kind: 'drain' | 'quarantine' | 'affinity' | 'anti-affinity' };

/**
 * The first obstacle of an agent for an unbound VM, if there is one. Pure; the same for all VMs of
 * equal requirements and group.
 */
export function obstacleFor(
  request: PlacementRequest,
  offer: AgentOffer,
  membersOf: MembersOf,
): Obstacle | undefined {
  const attributes = offer.attributes ?? [];
  const rule =
    unmetRule(request.requirements ?? [], attributes) ??
    unmetHardwareRule(request.hardware, attributes);
  if (rule !== undefined) return { kind: 'attribute', rule };
  if (offer.closedBy !== undefined) return { kind: offer.closedBy };
  if (request.group === undefined) return undefined;
  const members = membersOf(request.group.key);
  const isThere = (members.get(offer.agentId) ?? 0) > 0;
  if (request.group.rule === 'anti-affinity')
    return isThere ? { kind: 'anti-affinity' } : undefined;
  return members.size === 0 || isThere ? undefined : { kind: 'affinity' };
}

/** A rule in words, for reasons. */
export function ruleWords(rule: AttributeRule): string {
  return describeRule(rule);
}

function unmetRule(
  rules: readonly AttributeRule[],
  attributes: readonly HostAttribute[],
): AttributeRule | undefined {
  return rules.find((rule) => !matcherOf(rule)(attributes));
}

/** Rules seen lately; a batch's machines all have the same. */
const MATCHERS_MAX = 1_000;
const matchers = new Map<string, ReturnType<typeof compileRequirements>>();

function matcherOf(rule: AttributeRule): ReturnType<typeof compileRequirements> {
  const key = JSON.stringify(rule);
  const known = matchers.get(key);
  if (known !== undefined) return known;
  const made = compileRequirements([rule]);
  if (matchers.size >= MATCHERS_MAX) matchers.clear();
  matchers.set(key, made);
  return made;
}
