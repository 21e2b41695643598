import { DigestKeeper, type InventoryDigest } from '@factory/contracts';
import { nextAction } from './next-action.ts';
import { type VmRecord, vmIdOf } from './vm-record.ts';

interface AgentInventory {
  /** Of the VMs whose executor's word is the newest that there is of them. */
  readonly digest: DigestKeeper;
  /** VMs whose executor has to be told something until it shows effect. */
  readonly unanswered: Set<string>;
}

/**
 * What each agent's executor is known to have, kept up to date with each change of a record: a
 * heartbeat of a host on which nothing happened costs the same however many VMs it has.
 */
export class Inventories {
  readonly #byAgent = new Map<string, AgentInventory>();

  /** A record has changed, has come (no `before`) or is forgotten (no `after`). */
  change(before: VmRecord | undefined, after: VmRecord | undefined): void {
    const agentBefore = before?.task?.agentId;
    const agentAfter = after?.task?.agentId;
    if (before !== undefined && agentBefore !== undefined && agentBefore !== agentAfter) {
      this.#remove(agentBefore, before);
    }
    if (after !== undefined && agentAfter !== undefined) this.#put(agentAfter, after);
  }

  /** Whether the agent's executor has what is known of it here. */
  isSame(agentId: string, digest: InventoryDigest): boolean {
    return (this.#byAgent.get(agentId)?.digest ?? NOTHING).isSame(digest);
  }

  /** VMs of an agent whose executor has yet to show the effect of what it was told. */
  unansweredAt(agentId: string): Iterable<string> {
    return this.#byAgent.get(agentId)?.unanswered ?? [];
  }

  #put(agentId: string, record: VmRecord): void {
    const inventory = this.#byAgent.get(agentId) ?? {
      digest: new DigestKeeper(),
      unanswered: new Set<string>(),
    };
    this.#byAgent.set(agentId, inventory);
    const vmId = vmIdOf(record);
    const { observation, phase } = record;
    // What is silent or being launched is in doubt: the executor's digest differs until it is told.
    const isCurrent = phase === 'hosted' || phase === 'stalled';
    if (isCurrent && observation !== null) inventory.digest.set(vmId, observation.seq);
    else inventory.digest.delete(vmId);
    const action = nextAction(record).type;
    if (action === 'tellDesired' || action === 'release' || action === 'kill')
      inventory.unanswered.add(vmId);
    else inventory.unanswered.delete(vmId);
  }

  #remove(agentId: string, record: VmRecord): void {
    const inventory = this.#byAgent.get(agentId);
    if (inventory === undefined) return;
    inventory.digest.delete(vmIdOf(record));
    inventory.unanswered.delete(vmIdOf(record));
    if (inventory.digest.size + inventory.unanswered.size === 0) this.#byAgent.delete(agentId);
  }
}

const NOTHING = new DigestKeeper();
