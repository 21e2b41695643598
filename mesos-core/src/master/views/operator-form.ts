import {
  fromJson,
  LazyList,
  LazyMessage,
  type MasterResponseGetAgentsAgent,
  type MasterResponseGetFrameworksFramework,
  operatorForm,
  type Resources,
} from '../../protocol/index.ts';
import { drainView } from '../draining/drain-plan.ts';
import { inOfferOrder } from '../offer-form.ts';
import { allocatedByFramework, allocatedTo, offeredIn } from './resource-sums.ts';
import type { AgentView, ClusterSnapshot, FrameworkView } from './snapshot.ts';

/** `GetState` of the v1 operator API. */
export function getState(snapshot: ClusterSnapshot): LazyMessage {
  return new LazyMessage({
    get_agents: getAgents(snapshot),
    get_executors: getExecutors(snapshot),
    get_frameworks: getFrameworks(snapshot),
    get_tasks: getTasks(snapshot),
  });
}

/** `GetAgents` of the v1 operator API. */
export function getAgents({ agents, recoveredAgents }: ClusterSnapshot): LazyMessage {
  return new LazyMessage({
    agents: new LazyList(() => map(agents, agentForm)),
    recovered_agents: recoveredAgents.map(({ id, hostname }) => ({ hostname, id: { value: id } })),
  });
}

/** `GetTasks` of the v1 operator API. */
export function getTasks(snapshot: ClusterSnapshot): LazyMessage {
  const { agents, unreachableTasks, completedTasks } = snapshot;
  return new LazyMessage({
    tasks: new LazyList(function* () {
      for (const { tasks } of agents) yield* tasks;
    }),
    unreachable_tasks: new LazyList(() => unreachableTasks),
    completed_tasks: new LazyList(() => completedTasks),
  });
}

/** `GetExecutors` of the v1 operator API. */
export function getExecutors({ agents }: ClusterSnapshot): LazyMessage {
  return new LazyMessage({
    executors: new LazyList(function* () {
      for (const { id, executors } of agents) {
        for (const { info } of executors) yield { executor_info: info, agent_id: { value: id } };
      }
    }),
  });
}

/** `GetFrameworks` of the v1 operator API. */
export function getFrameworks(snapshot: ClusterSnapshot): LazyMessage {
  const { frameworks, completedFrameworks } = snapshot;
  return new LazyMessage({
    frameworks: new LazyList(function* () {
      const allocated = yield* allocatedByFramework(snapshot);
      for (const each of frameworks) yield frameworkForm(each, allocated.get(each.id) ?? []);
    }),
    completed_frameworks: new LazyList(() =>
      map(completedFrameworks, (each) => frameworkForm(each, [])),
    ),
  });
}

/** One agent in the form of the v1 operator API. */
export function agentForm(agent: AgentView): MasterResponseGetAgentsAgent {
  const { info, isConnected, version, pid, registeredAtMs, reregisteredAtMs } = agent;
  return {
    agent_info: { ...info, ...CHECKPOINTS },
    ...drainView(agent.outOfService, isConnected),
    version,
    pid,
    registered_time: timeInfo(registeredAtMs),
    reregistered_time: reregisteredAtMs === undefined ? undefined : timeInfo(reregisteredAtMs),
    total_resources: operatorForm(agent.total),
    allocated_resources: unlessEmpty(operatorForm(allocatedTo(agent))),
    offered_resources: unlessEmpty(operatorForm(inOfferOrder(offeredIn(agent.offers)))),
    capabilities: agent.capabilities.flatMap(
      (name) => fromJson('AgentInfo.Capability', { type: name }) ?? [],
    ),
  };
}

/** One framework in the form of the v1 operator API. */
export function frameworkForm(
  framework: FrameworkView,
  allocated: Resources,
): MasterResponseGetFrameworksFramework {
  const { info, isConnected, isRecovered, offers, inverseOffers, unregisteredAtMs } = framework;
  return {
    framework_info: info,
    active: isConnected,
    connected: isConnected,
    recovered: isRecovered,
    registered_time: timeInfo(framework.registeredAtMs),
    reregistered_time: timeInfo(framework.reregisteredAtMs),
    unregistered_time: unregisteredAtMs === undefined ? undefined : timeInfo(unregisteredAtMs),
    offers: unlessEmpty(offers),
    inverse_offers: unlessEmpty(inverseOffers),
    allocated_resources: unlessEmpty(operatorForm(allocated)),
    offered_resources: unlessEmpty(operatorForm(inOfferOrder(offeredIn(offers)))),
    offer_constraints: framework.offerConstraints,
  };
}

/** Mesos' JSON says of each agent that it checkpoints, although v1's AgentInfo has no such field. */
const CHECKPOINTS = { checkpoint: true };

/** Mesos leaves out some lists that are empty. */
function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function timeInfo(atMs: number): { readonly nanoseconds: number } {
  return { nanoseconds: Math.round(atMs * 1e6) };
}

function* map<T, U>(all: Iterable<T>, form: (each: T) => U): Generator<U> {
  for (const each of all) yield form(each);
}
