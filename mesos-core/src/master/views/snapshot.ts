import type {
  AgentInfo,
  FrameworkInfo,
  InverseOffer,
  Offer,
  Resources,
  SchedulerOfferConstraints,
  Task,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import type { RegisteredAgent } from '../registry.ts';
import type { Agent, ExecutorEntry, Framework } from '../state.ts';
import { seesAll, type Visibility } from './visibility.ts';

/** An agent as it was when the snapshot was taken. */
export interface AgentView {
  readonly id: string;
  readonly info: AgentInfo;
  readonly pid: string;
  readonly version: string;
  readonly capabilities: readonly string[];
  readonly isConnected: boolean;
  readonly outOfService: RegisteredAgent | undefined;
  readonly registeredAtMs: number;
  /** `undefined` for one that never came back. */
  readonly reregisteredAtMs: number | undefined;
  readonly total: Resources;
  readonly offers: readonly Offer[];
  readonly tasks: readonly Task[];
  readonly executors: readonly ExecutorEntry[];
}

/** A framework as it was when the snapshot was taken. */
export interface FrameworkView {
  readonly id: string;
  readonly info: FrameworkInfo;
  readonly isConnected: boolean;
  readonly isRecovered: boolean;
  readonly registeredAtMs: number;
  readonly reregisteredAtMs: number;
  readonly unregisteredAtMs: number | undefined;
  readonly offerConstraints: SchedulerOfferConstraints;
  readonly offers: readonly Offer[];
  readonly inverseOffers: readonly InverseOffer[];
}

/**
 * The cluster at one moment. Taking it copies references only: all that it refers to is immutable,
 * so it stays true to that moment while an answer is made of it bit by bit.
 */
export interface ClusterSnapshot {
  readonly agents: readonly AgentView[];
  /** Those that the last master knew and that have not come back yet. */
  readonly recoveredAgents: readonly { readonly id: string; readonly hostname: string }[];
  readonly unreachableAgents: number;
  readonly frameworks: readonly FrameworkView[];
  readonly completedFrameworks: readonly FrameworkView[];
  readonly unreachableTasks: readonly Task[];
  readonly completedTasks: readonly Task[];
}

/** The cluster as it is now, or as much of it as somebody may see. */
export function takeSnapshot(core: MasterCore, visibility: Visibility = seesAll): ClusterSnapshot {
  const { state, registry } = core;
  const select = selection(core, visibility);
  const frameworks = (all: Iterable<Framework>): readonly FrameworkView[] =>
    [...all]
      .filter(({ info }) => visibility.framework(info))
      .map((framework) => viewFramework(core, framework));
  return {
    agents: Array.from(state.agents.values(), (agent) => viewAgent(core, agent, select)),
    recoveredAgents: registry.agents.filter(
      (agent) => agent.state === 'admitted' && !state.agents.has(agent.id),
    ),
    unreachableAgents: registry.agents.filter((agent) => agent.state === 'unreachable').length,
    frameworks: frameworks(state.frameworks.values()),
    completedFrameworks: frameworks(state.completedFrameworks),
    unreachableTasks: select.tasks(state.unreachableTasks.values()),
    completedTasks: select.tasks(state.completedTasks),
  };
}

/** What of an agent's belongings is shown. */
interface Selection {
  resources(all: Resources): Resources;
  offers(all: readonly Offer[]): readonly Offer[];
  tasks(all: Iterable<Task>): readonly Task[];
  executors(all: Iterable<ExecutorEntry>): readonly ExecutorEntry[];
}

const everything: Selection = {
  resources: (all) => all,
  offers: (all) => all,
  tasks: (all) => [...all],
  executors: (all) => [...all],
};

function selection({ state }: MasterCore, visibility: Visibility): Selection {
  if (visibility === seesAll) return everything;
  const completed = new Map(Array.from(state.completedFrameworks, ({ id, info }) => [id, info]));
  const infoOf = (frameworkId: string): FrameworkInfo | undefined =>
    state.frameworks.get(frameworkId)?.info ?? completed.get(frameworkId);
  return {
    resources: visibility.resources,
    offers: (all) =>
      all.map((offer) => ({ ...offer, resources: visibility.resources(offer.resources ?? []) })),
    tasks: (all) =>
      [...all].filter((task) => visibility.task(task, infoOf(task.framework_id.value))),
    executors: (all) =>
      [...all].filter(({ info, frameworkId }) => visibility.executor(info, infoOf(frameworkId))),
  };
}

/** One agent, with all that it has. */
export function viewAgent({ state }: MasterCore, agent: Agent, select = everything): AgentView {
  const { id, info, ip, version, capabilities, total, registeredAtMs, reregisteredAtMs } = agent;
  const { resources } = info;
  return {
    ...{ id, version, capabilities, registeredAtMs, total: select.resources(total) },
    info: resources === undefined ? info : { ...info, resources: select.resources(resources) },
    pid: `slave(1)@${ip}:${info.port ?? 5051}`,
    isConnected: agent.stream !== undefined,
    outOfService: agent.outOfService,
    reregisteredAtMs: reregisteredAtMs === registeredAtMs ? undefined : reregisteredAtMs,
    offers: select.offers(state.offersOfAgent(id)),
    tasks: select.tasks(agent.tasks.values()),
    executors: select.executors(agent.executors.values()),
  };
}

/** One framework, without its tasks: those are the agents'. */
export function viewFramework(core: MasterCore, framework: Framework): FrameworkView {
  const { state, inverseOffers } = core;
  const { id, info, registeredAtMs, reregisteredAtMs, unregisteredAtMs } = framework;
  return {
    ...{ id, info, registeredAtMs, reregisteredAtMs, unregisteredAtMs },
    isConnected: framework.stream !== undefined,
    isRecovered: framework.recovered,
    offerConstraints: framework.offerConstraints?.constraints ?? {},
    offers: state.offersOfFramework(id),
    inverseOffers: inverseOffers.ofFramework(id),
  };
}
