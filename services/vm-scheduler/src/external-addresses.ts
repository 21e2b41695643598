import {
  countAddresses,
  EXTERNAL_ADDRESSES_ATTRIBUTE,
  externalAddressesOf,
  type HostAttribute,
} from '@factory/contracts';
import type { Amounts } from './placement-amounts.ts';
import { isMissing, type VmRecord } from './vm-record.ts';

/**
 * How many VMs of each agent are to have an external address. Which one is the executor's choice,
 * who knows what is in use on its host; here they are counted, so that no VM comes in vain.
 */
export class ExternalCounts {
  readonly #byAgent = new Map<string, number>();

  /** A record has come, or has taken another's place. */
  add(record: VmRecord): void {
    this.#count(record, 1);
  }

  remove(record: VmRecord): void {
    this.#count(record, -1);
  }

  /** What is left of an agent's. */
  freeAt(agentId: string, attributes: readonly HostAttribute[] | undefined): number {
    const all = countAddresses(externalAddressesOf(attributes));
    return Math.max(0, all - (this.#byAgent.get(agentId) ?? 0));
  }

  #count({ boundAgentId, assignment }: VmRecord, by: 1 | -1): void {
    if (boundAgentId === null || assignment.spec.externalAddress !== true) return;
    const count = (this.#byAgent.get(boundAgentId) ?? 0) + by;
    if (count > 0) this.#byAgent.set(boundAgentId, count);
    else this.#byAgent.delete(boundAgentId);
  }
}

/** What a VM needs at a new agent beside what its task takes; where it is already it is counted. */
export function withExternalNeed(need: Amounts, record: VmRecord): Amounts {
  const { boundAgentId, assignment } = record;
  const isPlaced = boundAgentId !== null || isMissing(record) || assignment.desired === 'deleted';
  if (isPlaced || assignment.spec.externalAddress !== true) return need;
  return { ...need, others: { ...need.others, [EXTERNAL_ADDRESSES_ATTRIBUTE]: 1 } };
}

/** An agent's amounts with the external addresses that it has left. */
export function withExternals(free: Amounts, count: number): Amounts {
  if (count === 0) return free;
  return { ...free, others: { ...free.others, [EXTERNAL_ADDRESSES_ATTRIBUTE]: count } };
}
