import { MesosHttpError } from '../http/mesos-http.ts';
import {
  addResources,
  fromJson,
  type MasterCall,
  type MasterResponse,
  type MasterResponseGetAgents,
  type MasterResponseGetAgentsAgent,
  type MasterResponseGetExecutors,
  type MasterResponseGetFrameworks,
  type MasterResponseGetFrameworksFramework,
  type MasterResponseGetTasks,
  type Offer,
  type Quantities,
  type Resource,
  type Resources,
} from '../protocol/index.ts';
import type { Agents } from './agents.ts';
import type { MasterCore } from './core.ts';
import type { Frameworks } from './frameworks.ts';
import { inOfferOrder, operatorForm } from './offer-form.ts';
import { getOperations, operateOnAgent } from './operations/operator-calls.ts';
import { MESOS_VERSION } from './settings.ts';
import { type Agent, type Framework, isTerminal, rolesOf } from './state.ts';

/** The operator API: what the cluster looks like, and a few things that only operators do. */
export class OperatorApi {
  readonly #core: MasterCore;
  readonly #frameworks: Frameworks;
  readonly #agents: Agents;

  constructor(core: MasterCore, frameworks: Frameworks, agents: Agents) {
    this.#core = core;
    this.#frameworks = frameworks;
    this.#agents = agents;
  }

  /**
   * Answers one call; `undefined` for calls that are answered with an empty body.
   * @param principal who calls, where that is known.
   * @throws MesosHttpError 400 for what does not exist, 501 for what is not supported.
   */
  async handle(call: MasterCall, principal?: string): Promise<MasterResponse | undefined> {
    switch (call.type) {
      case 'GET_HEALTH':
        return { type: 'GET_HEALTH', get_health: { healthy: true } };
      case 'GET_VERSION':
        return { type: 'GET_VERSION', get_version: { version_info: { version: MESOS_VERSION } } };
      case 'GET_MASTER': {
        const start_time = this.#core.startedAtMs / 1000;
        const get_master = {
          master_info: this.#core.masterInfo,
          start_time,
          elected_time: start_time,
        };
        return { type: 'GET_MASTER', get_master };
      }
      case 'GET_AGENTS':
        return { type: 'GET_AGENTS', get_agents: this.#getAgents() };
      case 'GET_FRAMEWORKS':
        return { type: 'GET_FRAMEWORKS', get_frameworks: this.#getFrameworks() };
      case 'GET_TASKS':
        return { type: 'GET_TASKS', get_tasks: this.#getTasks() };
      case 'GET_EXECUTORS':
        return { type: 'GET_EXECUTORS', get_executors: this.#getExecutors() };
      case 'GET_STATE':
        return {
          type: 'GET_STATE',
          get_state: {
            get_agents: this.#getAgents(),
            get_executors: this.#getExecutors(),
            get_frameworks: this.#getFrameworks(),
            get_tasks: this.#getTasks(),
          },
        };
      case 'GET_ROLES':
        return { type: 'GET_ROLES', get_roles: { roles: this.#roles() } };
      case 'GET_METRICS': {
        const metrics = Object.entries(this.metricsSnapshot());
        const list = metrics.map(([name, value]) => ({ name, value }));
        return { type: 'GET_METRICS', get_metrics: { metrics: list } };
      }
      case 'TEARDOWN':
        await this.#teardown(call.teardown.framework_id.value);
        return undefined;
      case 'MARK_AGENT_GONE':
        await this.#markGone(call.mark_agent_gone.agent_id.value);
        return undefined;
      case 'GET_OPERATIONS':
        return { type: 'GET_OPERATIONS', get_operations: getOperations(this.#core) };
      case 'RESERVE_RESOURCES':
      case 'UNRESERVE_RESOURCES':
      case 'CREATE_VOLUMES':
      case 'DESTROY_VOLUMES':
      case 'GROW_VOLUME':
      case 'SHRINK_VOLUME':
        operateOnAgent(this.#core, call, principal);
        return undefined;
      default:
        throw new MesosHttpError(501, `The call ${call.type} is not supported`);
    }
  }

  /** Mesos' names for the figures that tools look at. */
  metricsSnapshot(): Readonly<Record<string, number>> {
    const { state, clock, startedAtMs } = this.#core;
    const agents = [...state.agents.values()];
    const tasks = agents.flatMap((agent) => [...agent.tasks.values()]);
    const count = (name: string): number => tasks.filter((task) => task.state === name).length;
    const frameworks = [...state.frameworks.values()];
    const connected = frameworks.filter(({ stream }) => stream !== undefined).length;
    return {
      'master/elected': 1,
      'master/uptime_secs': (clock.nowMs() - startedAtMs) / 1000,
      'master/slaves_active': agents.filter(({ stream }) => stream !== undefined).length,
      'master/slaves_inactive': agents.filter(({ stream }) => stream === undefined).length,
      'master/frameworks_connected': connected,
      'master/frameworks_disconnected': frameworks.length - connected,
      'master/outstanding_offers': state.offers.size,
      'master/tasks_staging': count('TASK_STAGING'),
      'master/tasks_starting': count('TASK_STARTING'),
      'master/tasks_running': count('TASK_RUNNING'),
      'master/tasks_unreachable': state.unreachableTasks.size,
    };
  }

  async #teardown(frameworkId: string): Promise<void> {
    const framework = this.#core.state.frameworks.get(frameworkId);
    if (framework === undefined)
      throw new MesosHttpError(400, 'No framework found with specified ID');
    await this.#frameworks.remove(framework);
  }

  async #markGone(agentId: string): Promise<void> {
    if (!(await this.#agents.markGone(agentId))) throw new MesosHttpError(404, 'Agent not found');
  }

  #getAgents(): MasterResponseGetAgents {
    const { state, registry } = this.#core;
    const recovered = registry.agents
      .filter((agent) => agent.state === 'admitted' && !state.agents.has(agent.id))
      .map(({ id, hostname }) => ({ hostname, id: { value: id } }));
    const agents = [...state.agents.values()].map((agent) => this.#agent(agent));
    return { agents, recovered_agents: recovered };
  }

  #agent(agent: Agent): MasterResponseGetAgentsAgent {
    const offers = this.#core.state.offersOfAgent(agent.id);
    return {
      agent_info: agent.info,
      active: agent.stream !== undefined,
      deactivated: false,
      version: agent.version,
      pid: `slave(1)@${agent.ip}:${agent.info.port ?? 5051}`,
      registered_time: time(agent.registeredAtMs),
      ...(agent.reregisteredAtMs === agent.registeredAtMs
        ? {}
        : { reregistered_time: time(agent.reregisteredAtMs) }),
      total_resources: operatorForm(agent.total),
      allocated_resources: unlessEmpty(operatorForm(allocatedOf(agent))),
      offered_resources: unlessEmpty(operatorForm(offeredIn(offers))),
      capabilities: agent.capabilities.flatMap(
        (name) => fromJson('AgentInfo.Capability', { type: name }) ?? [],
      ),
    };
  }

  #getFrameworks(): MasterResponseGetFrameworks {
    const { frameworks, completedFrameworks } = this.#core.state;
    const completed = completedFrameworks.map((framework) => this.#framework(framework));
    return {
      frameworks: [...frameworks.values()].map((framework) => this.#framework(framework)),
      completed_frameworks: completed,
    };
  }

  #framework(framework: Framework): MasterResponseGetFrameworksFramework {
    const { state } = this.#core;
    const offers = state.offersOfFramework(framework.id);
    const tasks = state.tasksOf(framework.id).filter((task) => !isTerminal(task.state));
    const isConnected = framework.stream !== undefined;
    const { unregisteredAtMs } = framework;
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

  #getTasks(): MasterResponseGetTasks {
    const { agents, unreachableTasks, completedTasks } = this.#core.state;
    return {
      tasks: [...agents.values()].flatMap((agent) => [...agent.tasks.values()]),
      unreachable_tasks: [...unreachableTasks.values()],
      completed_tasks: completedTasks,
    };
  }

  #getExecutors(): MasterResponseGetExecutors {
    const executors = [...this.#core.state.agents.values()].flatMap((agent) =>
      [...agent.executors.values()].map(({ info }) => ({
        executor_info: info,
        agent_id: { value: agent.id },
      })),
    );
    return { executors };
  }

  #roles() {
    const { state } = this.#core;
    const frameworks = [...state.frameworks.values()];
    const names = new Set(frameworks.flatMap(({ info }) => rolesOf(info)));
    return [...names].toSorted().map((name) => {
      const members = frameworks.filter(({ info }) => rolesOf(info).includes(name));
      return {
        name,
        weight: 1,
        frameworks: members.map(({ id }) => ({ value: id })),
        resources: unlessEmpty(asScalars(members.map(({ id }) => state.usageOf(id, name)))),
      };
    });
  }
}

/** Mesos leaves out some lists that are empty. */
function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** Sums, by name. */
function asScalars(quantities: readonly Quantities[]): readonly Resource[] {
  const resources = quantities.flatMap((each) =>
    Object.entries(each).map(([name, value]) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
    })),
  );
  return addResources([], resources).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function allocatedOf(agent: Agent): Resources {
  const tasks = [...agent.tasks.values()].filter((task) => !isTerminal(task.state));
  return sumOf([...tasks, ...[...agent.executors.values()].map(({ info }) => info)]);
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
