import {
  allocateResources,
  containsResources,
  type Offer,
  type OfferOperation,
  type Resources,
  type SchedulerCall,
  scalarQuantities,
  subtractResources,
  type TaskInfo,
  unallocateResources,
} from '../protocol/index.ts';
import { type MasterCore, taskOf } from './core.ts';
import { type LaunchContext, launchProblem, neededFor } from './launch.ts';
import { reconcile } from './reconcile.ts';
import { type Agent, executorKey, type Framework, isTerminal, rolesOf, taskKey } from './state.ts';

/** Filters are capped: nobody keeps resources from himself for longer than a year. */
const REFUSE_SECONDS_MAX = 365 * 24 * 3600;
const REFUSE_SECONDS_DEFAULT = 5;

type Call<T extends SchedulerCall['type']> = Extract<SchedulerCall, { type: T }>;

/** Everything that a subscribed scheduler may ask, once its call was found to be in order. */
export class SchedulerCalls {
  readonly #core: MasterCore;

  constructor(core: MasterCore) {
    this.#core = core;
  }

  /** Carries out one call. Teardown is the caller's: it ends the framework itself. */
  handle(framework: Framework, call: SchedulerCall): void {
    switch (call.type) {
      case 'ACCEPT':
        return this.#accept(framework, call);
      case 'DECLINE':
        return this.#decline(framework, call);
      case 'REVIVE':
        return this.#revive(framework, call.revive?.roles ?? []);
      case 'SUPPRESS':
        return this.#suppress(framework, call.suppress?.roles ?? []);
      case 'KILL':
        return this.#kill(framework, call);
      case 'ACKNOWLEDGE':
        return this.#acknowledge(framework, call);
      case 'RECONCILE':
        return reconcile(this.#core, framework, call.reconcile.tasks ?? []);
      case 'MESSAGE':
        return this.#message(framework, call);
      case 'SHUTDOWN':
        return this.#shutdown(framework, call);
      case 'REQUEST':
        // Mesos' own allocators take no notice of requests either.
        return;
      default:
        return;
    }
  }

  #accept(framework: Framework, call: Call<'ACCEPT'>): void {
    const { state } = this.#core;
    const offerIds = (call.accept.offer_ids ?? []).map(({ value }) => value);
    const operations = call.accept.operations ?? [];
    const problem = this.#offersProblem(framework, offerIds);
    if (problem !== undefined) {
      this.#dropLaunches(framework, operations, problem);
      this.#core.rescind(
        offerIds.filter((id) => this.#owns(framework, id)),
        false,
      );
      return;
    }
    const offers = offerIds.flatMap((id) => state.removeOffer(id) ?? []);
    const [first] = offers;
    const agent = state.agents.get(first?.agent_id.value ?? '');
    if (first === undefined || agent === undefined) return;
    let available: Resources = offers.flatMap((offer) => offer.resources ?? []);
    for (const operation of operations) {
      available = this.#operate(framework, agent, first, operation, available);
    }
    this.#refuse(framework, agent, first, available, call.accept.filters?.refuse_seconds);
    this.#core.requestAllocation();
  }

  #offersProblem(framework: Framework, offerIds: readonly string[]): string | undefined {
    const { state } = this.#core;
    if (offerIds.length === 0) return 'No offers specified';
    const stale = offerIds.find((id) => !this.#owns(framework, id));
    if (stale !== undefined) return `Offer ${stale} is no longer valid`;
    const duplicate = offerIds.find((id, index) => offerIds.indexOf(id) !== index);
    if (duplicate !== undefined) return `Duplicate offer ${duplicate} in offer list`;
    const agents = new Set(offerIds.map((id) => state.offers.get(id)?.agent_id.value));
    return agents.size > 1 ? 'Aggregated offers must belong to one single agent' : undefined;
  }

  #owns(framework: Framework, offerId: string): boolean {
    return this.#core.state.offers.get(offerId)?.framework_id.value === framework.id;
  }

  #dropLaunches(framework: Framework, operations: readonly OfferOperation[], why: string): void {
    const tasks = operations.flatMap(tasksOfOperation);
    for (const task of tasks) {
      const state = this.#core.lostState(framework.info, 'TASK_DROPPED');
      const message = `Task launched with invalid offers: ${why}`;
      const { task_id, agent_id } = task;
      const status = this.#core.masterStatus(
        task_id.value,
        agent_id.value,
        state,
        'REASON_INVALID_OFFERS',
        message,
      );
      this.#core.sendStatus(framework, status);
    }
  }

  /** One operation; gives what is left of the offers after it. */
  #operate(
    framework: Framework,
    agent: Agent,
    offer: Offer,
    operation: OfferOperation,
    available: Resources,
  ): Resources {
    switch (operation.type) {
      case 'LAUNCH': {
        let left = available;
        for (const task of operation.launch.task_infos ?? []) {
          left = this.#launch(framework, agent, offer, task, left);
        }
        return left;
      }
      case 'LAUNCH_GROUP':
        return this.#launchGroup(framework, agent, offer, operation, available);
      default:
        this.#core.logger.warn(
          { operation: operation.type },
          'operation is not supported; dropped',
        );
        return available;
    }
  }

  #context(framework: Framework, agent: Agent, offer: Offer, available: Resources): LaunchContext {
    return {
      agentId: agent.id,
      role: offer.allocation_info?.role ?? '*',
      available,
      isTaskKnown: (taskId) => this.#core.state.findTask(framework.id, taskId) !== undefined,
      executor: (id) => agent.executors.get(executorKey(framework.id, id))?.info,
    };
  }

  #launch(
    framework: Framework,
    agent: Agent,
    offer: Offer,
    task: TaskInfo,
    available: Resources,
  ): Resources {
    const context = this.#context(framework, agent, offer, available);
    const problem = launchProblem(task, context);
    if (problem !== undefined) {
      this.#refuseTask(framework, task, problem);
      return available;
    }
    const needed = neededFor(task, context);
    const run = this.#record(framework, agent, task, context.role);
    agent.stream?.send({
      type: 'RUN_TASKS',
      framework: framework.info,
      executor: run.executor,
      tasks: [run],
    });
    return subtractResources(available, needed);
  }

  #launchGroup(
    framework: Framework,
    agent: Agent,
    offer: Offer,
    operation: Extract<OfferOperation, { type: 'LAUNCH_GROUP' }>,
    available: Resources,
  ): Resources {
    const { executor, task_group } = operation.launch_group;
    let left = available;
    const tasks = (task_group.tasks ?? []).map((task) => ({ ...task, executor }));
    const problems = tasks.map((task, index) => {
      const context = this.#context(framework, agent, offer, left);
      const problem = launchProblem(task, context);
      const withExecutor =
        index === 0
          ? neededFor(task, context)
          : allocateResources(task.resources ?? [], context.role);
      left = problem === undefined ? subtractResources(left, withExecutor) : left;
      return problem;
    });
    const problem = problems.find((each) => each !== undefined);
    if (problem !== undefined) {
      // All or nothing.
      for (const task of tasks) this.#refuseTask(framework, task, problem);
      return available;
    }
    const role = offer.allocation_info?.role ?? '*';
    const runs = tasks.map((task) => this.#record(framework, agent, task, role));
    agent.stream?.send({
      type: 'RUN_TASKS',
      framework: framework.info,
      executor: runs[0]?.executor,
      tasks: runs,
      task_group: { tasks: runs },
    });
    return left;
  }

  /** Takes the resources and remembers the task; gives it as the agent is to run it. */
  #record(framework: Framework, agent: Agent, task: TaskInfo, role: string): TaskInfo {
    const { state } = this.#core;
    const resources = allocateResources(task.resources ?? [], role);
    state.putTask(agent, taskOf(task, framework.id, resources));
    if (task.executor === undefined) return { ...task, resources };
    const executor = {
      ...task.executor,
      framework_id: { value: framework.id },
      resources: allocateResources(task.executor.resources ?? [], role),
    };
    state.putExecutor(agent, framework.id, executor);
    return { ...task, resources, executor };
  }

  #refuseTask(framework: Framework, task: TaskInfo, message: string): void {
    const { task_id, agent_id } = task;
    const status = this.#core.masterStatus(
      task_id.value,
      agent_id.value,
      'TASK_ERROR',
      'REASON_TASK_INVALID',
      message,
    );
    this.#core.sendStatus(framework, status);
  }

  #decline(framework: Framework, call: Call<'DECLINE'>): void {
    const { state } = this.#core;
    for (const { value } of call.decline.offer_ids ?? []) {
      if (!this.#owns(framework, value)) continue;
      const offer = state.removeOffer(value);
      const agent = state.agents.get(offer?.agent_id.value ?? '');
      if (offer === undefined || agent === undefined) continue;
      const seconds = call.decline.filters?.refuse_seconds;
      this.#refuse(framework, agent, offer, offer.resources ?? [], seconds);
    }
    this.#core.requestAllocation();
  }

  /** Remembers that the framework does not want these resources for a while. */
  #refuse(
    framework: Framework,
    agent: Agent,
    offer: Offer,
    resources: Resources,
    refuseSeconds: number | undefined,
  ): void {
    const wished = refuseSeconds ?? REFUSE_SECONDS_DEFAULT;
    const isValid = Number.isFinite(wished) && wished >= 0;
    const seconds = Math.min(isValid ? wished : REFUSE_SECONDS_DEFAULT, REFUSE_SECONDS_MAX);
    if (seconds === 0 || Object.keys(scalarQuantities(resources)).length === 0) return;
    const filter = {
      frameworkId: framework.id,
      role: offer.allocation_info?.role ?? '*',
      agentId: agent.id,
      resources: unallocateResources(resources),
      expiresAtMs: this.#core.clock.monotonicMs() + seconds * 1000,
    };
    const isCovered = (other: (typeof framework.filters)[number]): boolean =>
      other.role === filter.role &&
      other.agentId === filter.agentId &&
      other.expiresAtMs <= filter.expiresAtMs &&
      containsResources(filter.resources, other.resources);
    framework.filters = [...framework.filters.filter((other) => !isCovered(other)), filter];
  }

  #revive(framework: Framework, roles: readonly string[]): void {
    const revived = roles.length === 0 ? rolesOf(framework.info) : roles;
    for (const role of revived) framework.suppressedRoles.delete(role);
    framework.filters = framework.filters.filter(({ role }) => !revived.includes(role));
    this.#core.requestAllocation();
  }

  #suppress(framework: Framework, roles: readonly string[]): void {
    const suppressed = roles.length === 0 ? rolesOf(framework.info) : roles;
    for (const role of suppressed) framework.suppressedRoles.add(role);
  }

  #kill(framework: Framework, { kill }: Call<'KILL'>): void {
    const { state } = this.#core;
    const taskId = kill.task_id.value;
    const agent = state.agentOfTask(framework.id, taskId);
    if (agent === undefined) {
      const agent_id = kill.agent_id === undefined ? {} : { agent_id: kill.agent_id };
      reconcile(this.#core, framework, [{ task_id: kill.task_id, ...agent_id }]);
      return;
    }
    agent.stream?.send({
      type: 'KILL_TASK',
      framework_id: framework.id,
      task_id: taskId,
      kill_policy: kill.kill_policy,
    });
  }

  #acknowledge(framework: Framework, { acknowledge }: Call<'ACKNOWLEDGE'>): void {
    const { state } = this.#core;
    const agent = state.agents.get(acknowledge.agent_id.value);
    if (agent === undefined) return;
    const taskId = acknowledge.task_id.value;
    const task = agent.tasks.get(taskKey(framework.id, taskId));
    if (task?.status_update_uuid === acknowledge.uuid) {
      const isOver = task.status_update_state !== undefined && isTerminal(task.status_update_state);
      if (isOver) state.removeTask(agent, task);
    }
    agent.stream?.send({
      type: 'ACKNOWLEDGED',
      framework_id: framework.id,
      task_id: taskId,
      uuid: acknowledge.uuid,
    });
  }

  #message(framework: Framework, { message }: Call<'MESSAGE'>): void {
    const agent = this.#core.state.agents.get(message.agent_id.value);
    agent?.stream?.send({
      type: 'MESSAGE',
      framework_id: framework.id,
      executor_id: message.executor_id.value,
      data: message.data,
    });
  }

  #shutdown(framework: Framework, { shutdown }: Call<'SHUTDOWN'>): void {
    const agent = this.#core.state.agents.get(shutdown.agent_id.value);
    agent?.stream?.send({
      type: 'SHUTDOWN_EXECUTOR',
      framework_id: framework.id,
      executor_id: shutdown.executor_id.value,
    });
  }
}

function tasksOfOperation(operation: OfferOperation): readonly TaskInfo[] {
  if (operation.type === 'LAUNCH') return operation.launch.task_infos ?? [];
  if (operation.type === 'LAUNCH_GROUP') return operation.launch_group.task_group.tasks ?? [];
  return [];
}
