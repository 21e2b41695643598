import {
  addResources,
  fromJson,
  type MasterResponseGetAgentsAgent,
  type MasterResponseGetExecutorsExecutor,
  type MasterResponseGetFrameworksFramework,
  type Offer,
  type Resources,
} from '../../protocol/index.ts';
import { inOfferOrder, operatorForm } from '../offer-form.ts';
import { isTerminal } from '../state.ts';
import type { CapturedAgent, CapturedFramework } from './capture.ts';

/** An agent as operators see it. */
export function agentView(agent: CapturedAgent): MasterResponseGetAgentsAgent {
  const tasks = agent.tasks.filter((task) => !isTerminal(task.state));
  const allocated = sumOf([...tasks, ...agent.executors.map(({ info }) => info)]);
  return {
    agent_info: agent.info,
    active: agent.isConnected,
    deactivated: false,
    version: agent.version,
    pid: `slave(1)@${agent.ip}:${agent.info.port ?? 5051}`,
    registered_time: time(agent.registeredAtMs),
    ...(agent.reregisteredAtMs === agent.registeredAtMs
      ? {}
      : { reregistered_time: time(agent.reregisteredAtMs) }),
    total_resources: operatorForm(agent.total),
    allocated_resources: unlessEmpty(operatorForm(allocated)),
    offered_resources: unlessEmpty(operatorForm(offeredIn(agent.offers))),
    capabilities: agent.capabilities.flatMap(
      (name) => fromJson('AgentInfo.Capability', { type: name }) ?? [],
    ),
  };
}

/** A framework as operators see it. */
export function frameworkView(framework: CapturedFramework): MasterResponseGetFrameworksFramework {
  const tasks = framework.tasks.filter((task) => !isTerminal(task.state));
  const { isConnected, offers, unregisteredAtMs } = framework;
  return {
    framework_info: framework.info,
    active: isConnected,
    connected: isConnected,
    recovered: framework.recovered,
    registered_time: time(framework.registeredAtMs),
    reregistered_time: time(framework.reregisteredAtMs),
    ...(unregisteredAtMs === undefined ? {} : { unregistered_time: time(unregisteredAtMs) }),
    offers: unlessEmpty(offers),
    allocated_resources: unlessEmpty(operatorForm(sumOf(tasks))),
    offered_resources: unlessEmpty(operatorForm(offeredIn(offers))),
    offer_constraints: framework.offerConstraints?.constraints ?? {},
  };
}

/** The executors of an agent as operators see them. */
export function executorViews({
  id,
  executors,
}: CapturedAgent): readonly MasterResponseGetExecutorsExecutor[] {
  return executors.map(({ info }) => ({ executor_info: info, agent_id: { value: id } }));
}

/** Mesos leaves out some lists that are empty. */
export function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** The resources of all of them together. */
function sumOf(holders: readonly { readonly resources?: Resources | undefined }[]): Resources {
  return addResources(
    [],
    holders.flatMap(({ resources }) => resources ?? []),
  );
}

function offeredIn(offers: readonly Offer[]): Resources {
  return inOfferOrder(sumOf(offers));
}

function time(atMs: number): { readonly nanoseconds: number } {
  return { nanoseconds: Math.round(atMs * 1e6) };
}
