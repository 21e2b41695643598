import {
  LazyList,
  LazyMessage,
  olderAttributes,
  olderResources,
  operatorForm,
  type Resources,
  reservedByRole,
  unreserved,
} from '../../protocol/index.ts';
import { drainView } from '../draining/drain-plan.ts';
import { inOfferOrder } from '../offer-form.ts';
import { allocatedTo, offeredIn } from './resource-sums.ts';
import type { AgentView, ClusterSnapshot } from './snapshot.ts';

/** `GET /slaves`, of all agents or of one. */
export function olderSlaves(snapshot: ClusterSnapshot, agentId: string | null): LazyMessage {
  const isWanted = ({ id }: { readonly id: string }): boolean => agentId === null || id === agentId;
  return new LazyMessage({
    slaves: new LazyList(function* () {
      for (const agent of snapshot.agents.filter(isWanted)) {
        yield { ...olderAgent(agent), ...inFull(agent) };
      }
    }),
    recovered_slaves: olderRecovered(snapshot).filter(isWanted),
  });
}

/** One agent as the older endpoints show it. */
export function olderAgent(agent: AgentView) {
  const { id, info, pid, total, isConnected, version, capabilities, reregisteredAtMs } = agent;
  const { active, deactivated, drain_info, estimated_drain_start_time } = {
    ...{ drain_info: undefined, estimated_drain_start_time: undefined },
    ...drainView(agent.outOfService, isConnected),
  };
  const reserved = [...reservedByRole(total)];
  return {
    id,
    hostname: info.hostname,
    port: info.port ?? 5051,
    attributes: olderAttributes(info.attributes),
    ...(info.domain === undefined ? {} : { domain: info.domain }),
    pid,
    registered_time: agent.registeredAtMs / 1000,
    ...(reregisteredAtMs === undefined ? {} : { reregistered_time: reregisteredAtMs / 1000 }),
    resources: olderResources(total),
    used_resources: olderResources(allocatedTo(agent)),
    offered_resources: olderResources(offeredIn(agent.offers)),
    reserved_resources: Object.fromEntries(
      reserved.map(([role, resources]) => [role, olderResources(resources)]),
    ),
    unreserved_resources: olderResources(unreserved(total)),
    ...{ active, deactivated },
    ...(drain_info === undefined ? {} : { drain_info, estimated_drain_start_time }),
    version,
    capabilities,
  };
}

/** Those that the last master knew and that have not come back. */
export function olderRecovered({ recoveredAgents }: ClusterSnapshot) {
  return recoveredAgents.map(({ id, hostname }) => ({ id, hostname, active: false }));
}

function inFull({ total, offers, ...agent }: AgentView) {
  const reserved = [...reservedByRole(total)];
  const full = (resources: Resources): Resources => operatorForm(inOfferOrder(resources));
  return {
    reserved_resources_full: Object.fromEntries(
      reserved.map(([role, resources]) => [role, operatorForm(resources)]),
    ),
    unreserved_resources_full: operatorForm(unreserved(total)),
    used_resources_full: full(allocatedTo(agent)),
    offered_resources_full: full(offeredIn(offers)),
  };
}
