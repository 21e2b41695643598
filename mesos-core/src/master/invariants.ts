import {
  addResources,
  containsResources,
  equalResources,
  unallocateResources,
} from '../protocol/index.ts';
import type { MasterState } from './state.ts';
import { usedOf } from './takeover.ts';

/** Every rule that the books break, in words; empty when all is well. */
export function checkMasterInvariants(state: MasterState): readonly string[] {
  const problems: string[] = [];
  for (const agent of state.agents.values()) {
    const used = addResources(usedOf(agent), []);
    if (!equalResources(used, agent.used)) {
      problems.push(`agent ${agent.id}: the running account of used resources is wrong`);
    }
    const offers = state.offersOfAgent(agent.id);
    const offered = unallocateResources(offers.flatMap((offer) => offer.resources ?? []));
    if (!containsResources(agent.total, addResources(used, offered))) {
      problems.push(`agent ${agent.id}: more is used and offered than there is`);
    }
  }
  for (const offer of state.offers.values()) {
    if (!state.agents.has(offer.agent_id.value)) {
      problems.push(`offer ${offer.id.value} is of an agent that is not there`);
    }
    if (state.frameworks.get(offer.framework_id.value)?.stream === undefined) {
      problems.push(`offer ${offer.id.value} is with a framework that is not connected`);
    }
  }
  return problems;
}
