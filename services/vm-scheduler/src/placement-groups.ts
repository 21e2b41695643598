import type { PlacementGroup, VmAssignment } from '@factory/contracts';
import type { GroupMembership } from './placement-eligibility.ts';

const NOBODY: ReadonlyMap<string, number> = new Map();

/** A VM's group in the cluster's terms: names are a project's own, and each rule is its own group. */
export function membershipOf({ projectId, spec }: VmAssignment): GroupMembership | undefined {
  const { group } = spec;
  return group === undefined ? undefined : { key: keyOf(projectId, group), rule: group.rule };
}

function keyOf(projectId: string, { id, rule }: PlacementGroup): string {
  return `${projectId}/${rule}/${id}`;
}

/** The part of a VM's record that counts for groups. */
interface Member {
  readonly assignment: VmAssignment;
  /** Its agent, as long as something of it is, or may be, there. */
  readonly boundAgentId: string | null;
}

/**
 * How many members of each group every agent has. Made of the VMs' records, so that it is the same
 * after a restart; kept up to date with each change.
 */
export class GroupIndex {
  readonly #counts = new Map<string, Map<string, number>>();

  /** The agents with members of a group, and how many each has. */
  readonly membersOf = (key: string): ReadonlyMap<string, number> =>
    this.#counts.get(key) ?? NOBODY;

  add(member: Member): void {
    this.#count(member, 1);
  }

  remove(member: Member): void {
    this.#count(member, -1);
  }

  #count({ assignment, boundAgentId }: Member, change: 1 | -1): void {
    const group = membershipOf(assignment);
    if (group === undefined || boundAgentId === null) return;
    const byAgent = this.#counts.get(group.key) ?? new Map<string, number>();
    const count = (byAgent.get(boundAgentId) ?? 0) + change;
    if (count > 0) byAgent.set(boundAgentId, count);
    else byAgent.delete(boundAgentId);
    if (byAgent.size > 0) this.#counts.set(group.key, byAgent);
    else this.#counts.delete(group.key);
  }
}
