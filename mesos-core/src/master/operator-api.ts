import { MesosHttpError } from '../agent/mesos-http.ts';
import type {
  MasterCall,
  MasterResponse,
  MasterResponseGetAgents,
  MasterResponseGetExecutors,
  MasterResponseGetFrameworks,
  MasterResponseGetFrameworksFramework,
  MasterResponseGetTasks,
} from '../protocol/index.ts';
import type { Agents } from './agents.ts';
import type { MasterCore } from './core.ts';
import type { Frameworks } from './frameworks.ts';
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
   * @throws MesosHttpError 400 for what does not exist, 501 for what is not supported.
   */
  async handle(call: MasterCall): Promise<MasterResponse | undefined> {
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
    const agents = [...this.#core.state.agents.values()].map((agent) => ({
      agent_info: agent.info,
      active: agent.stream !== undefined,
      deactivated: false,
      version: agent.version,
      pid: `slave(1)@${this.#core.address.ip}:${agent.info.port ?? 5051}`,
      registered_time: time(agent.registeredAtMs),
      reregistered_time: time(agent.reregisteredAtMs),
      total_resources: agent.total,
      allocated_resources: allocatedOf(agent),
      offered_resources: this.#core.state
        .offersOfAgent(agent.id)
        .flatMap((offer) => offer.resources ?? []),
    }));
    const known = new Set(agents.map(({ agent_info }) => agent_info.id?.value));
    const recovered = this.#core.registry.agents
      .filter(({ id, state }) => state === 'admitted' && !known.has(id))
      .map(({ id, hostname }) => ({ hostname, id: { value: id } }));
    return { agents, recovered_agents: recovered };
  }

  #getFrameworks(): MasterResponseGetFrameworks {
    const { state } = this.#core;
    return {
      frameworks: [...state.frameworks.values()].map((framework) => this.#framework(framework)),
      completed_frameworks: state.completedFrameworks.map((framework) =>
        this.#framework(framework),
      ),
      recovered_frameworks: [],
    };
  }

  #framework(framework: Framework): MasterResponseGetFrameworksFramework {
    const { state } = this.#core;
    const offers = state.offersOfFramework(framework.id);
    const tasks = state.tasksOf(framework.id).filter((task) => !isTerminal(task.state));
    const isConnected = framework.stream !== undefined;
    return {
      framework_info: framework.info,
      active: isConnected,
      connected: isConnected,
      recovered: framework.recovered,
      registered_time: time(framework.registeredAtMs),
      reregistered_time: time(framework.reregisteredAtMs),
      offers,
      allocated_resources: tasks.flatMap((task) => task.resources ?? []),
      offered_resources: offers.flatMap((offer) => offer.resources ?? []),
    };
  }

  #getTasks(): MasterResponseGetTasks {
    const { state } = this.#core;
    return {
      pending_tasks: [],
      tasks: [...state.agents.values()].flatMap((agent) => [...agent.tasks.values()]),
      unreachable_tasks: [...state.unreachableTasks.values()],
      completed_tasks: state.completedTasks,
      orphan_tasks: [],
    };
  }

  #getExecutors(): MasterResponseGetExecutors {
    const executors = [...this.#core.state.agents.values()].flatMap((agent) =>
      [...agent.executors.values()].map(({ info }) => ({
        executor_info: info,
        agent_id: { value: agent.id },
      })),
    );
    return { executors, orphan_executors: [] };
  }

  #roles() {
    const { state } = this.#core;
    const frameworks = [...state.frameworks.values()];
    const names = new Set(['*', ...frameworks.flatMap(({ info }) => rolesOf(info))]);
    return [...names].map((name) => ({
      name,
      weight: 1,
      frameworks: frameworks
        .filter(({ info }) => rolesOf(info).includes(name))
        .map(({ id }) => ({ value: id })),
      resources: frameworks
        .flatMap(({ id }) => state.tasksOf(id))
        .filter((task) => !isTerminal(task.state))
        .flatMap((task) => task.resources ?? [])
        .filter((resource) => resource.allocation_info?.role === name),
    }));
  }
}

function allocatedOf(agent: Agent) {
  const tasks = [...agent.tasks.values()].filter((task) => !isTerminal(task.state));
  const executors = [...agent.executors.values()].map(({ info }) => info);
  const resources = [...tasks, ...executors].flatMap((each) => each.resources ?? []);
  return resources;
}

function time(atMs: number): { readonly nanoseconds: number } {
  return { nanoseconds: Math.round(atMs * 1e6) };
}
