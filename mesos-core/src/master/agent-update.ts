import {
  type AgentInfo,
  addResources,
  applyCheckpointed,
  containsResources,
  needsCheckpoint,
  type Offer,
  type Resources,
  subtractResources,
  unallocateResources,
} from '../protocol/index.ts';
import { agentFacts } from './allocator-facts.ts';
import type { MasterCore } from './core.ts';
import type { Agent } from './state.ts';

/**
 * An agent has other resources or attributes than it had. Reservations and volumes stay what
 * operations made them here, where those under way count. Offers that are no longer true are taken
 * back; what is left, or new, is offered. Tasks go on, whatever is left.
 */
export function updateAgent(core: MasterCore, agent: Agent, changed: AgentInfo): void {
  const { resources = [], attributes = [] } = changed;
  const operated = agent.total.filter(needsCheckpoint);
  const { resources: total, problem } = applyCheckpointed(resources, operated);
  if (total === undefined) {
    // An operation that the agent will refuse is on its way there; then it subscribes anew.
    core.logger.warn({ agentId: agent.id, problem }, 'not taking changed resources of an agent');
    return;
  }
  const isSame = JSON.stringify(agent.info.attributes ?? []) === JSON.stringify(attributes);
  agent.info = { ...agent.info, resources, attributes };
  core.state.setTotal(agent, total);
  noteIfShrunk(agent);
  core.allocator.putAgent(agent.id, agentFacts(agent, core.masterInfo.domain));
  // Its stream may be broken: a call comes over a connection of its own.
  core.allocator.setAgentConnected(agent.id, agent.stream !== undefined);
  const offers = core.state.offersOfAgent(agent.id);
  // Offers carry the attributes, by which frameworks place their tasks.
  const untrue = isSame ? offersBeyond(subtractResources(total, agent.used), offers) : offers;
  core.logger.info({ agentId: agent.id, rescinded: untrue.length }, 'agent was changed');
  core.rescind(
    untrue.map(({ id }) => id.value),
    true,
  );
}

/** Those that do not fit into what is free; earlier ones are kept first. */
function offersBeyond(free: Resources, offers: readonly Offer[]): readonly Offer[] {
  let kept: Resources = [];
  return offers.filter((offer) => {
    const withOffer = addResources(kept, unallocateResources(offer.resources ?? []));
    if (!containsResources(free, withOffer)) return true;
    kept = withOffer;
    return false;
  });
}

/** Remembers whether the agent has less than its tasks use. */
export function noteIfShrunk(agent: Agent): void {
  agent.isShrunk = !containsResources(agent.total, agent.used);
}
