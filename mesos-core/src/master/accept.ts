import {
  type ExecutorInfo,
  type Offer,
  type OfferOperation,
  type Resources,
  type SchedulerCall,
  type Task,
  type TaskInfo,
  type TaskStatusReason,
  takeResources,
  unallocateResources,
} from '../protocol/index.ts';
import { portionsOf } from './accept-portions.ts';
import { launchRefusal } from './authorization.ts';
import type { Slices } from './call-order.ts';
import type { MasterCore } from './core.ts';
import { launchedTask } from './kept-task.ts';
import {
  groupProblem,
  type LaunchContext,
  launchProblem,
  neededFor,
  neededForGroup,
} from './launch.ts';
import { asOffered } from './offer-form.ts';
import { applyToOffers, refuseStale } from './operations/offer-operations.ts';
import { tellLatest } from './reconcile.ts';
import { repeated } from './repeated.ts';
import { type Agent, executorKey, type Framework, taskKey } from './state.ts';

/** Filters are capped: nobody keeps resources from himself for longer than a year. */
const REFUSE_SECONDS_MAX = 365 * 24 * 3600;
const REFUSE_SECONDS_DEFAULT = 5;

type AcceptCall = Extract<SchedulerCall, { type: 'ACCEPT' }>;
type DeclineCall = Extract<SchedulerCall, { type: 'DECLINE' }>;
type GroupOperation = Extract<OfferOperation, { type: 'LAUNCH_GROUP' }>;

const NONE: ReadonlySet<string> = new Set();

/** Where an ACCEPT is being carried out. */
interface Site {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly role: string;
}

/** What becomes of offers: tasks, or filters. */
export class OfferAnswers {
  readonly #core: MasterCore;

  constructor(core: MasterCore) {
    this.#core = core;
  }

  /** Carries out the operations on the offers; what they leave is refused. */
  *accept(framework: Framework, { accept }: AcceptCall): Slices {
    const { state } = this.#core;
    const offerIds = (accept.offer_ids ?? []).map(({ value }) => value);
    const operations = accept.operations ?? [];
    const problem = this.#offersProblem(framework, offerIds);
    const own = offerIds.filter((id) => this.#owns(framework, id));
    const offers = own.flatMap((id) => state.removeOffer(id) ?? []);
    const [first] = offers;
    const agent = state.agents.get(first?.agent_id.value ?? '');
    if (problem !== undefined || first === undefined || agent === undefined) {
      yield* this.#drop(framework, operations, problem ?? 'No offers specified');
      return;
    }
    const site: Site = { framework, agent, role: first.allocation_info?.role ?? '*' };
    const offered = offers.flatMap((offer) => offer.resources ?? []);
    let left: Resources = offered;
    const portions = portionsOf(operations);
    for (const [index, portion] of portions.entries()) {
      if (index > 0 && !(yield* this.#pause(first, left))) {
        const rest = portions.slice(index).flat();
        yield* this.#drop(framework, rest, `Offer ${first.id.value} is no longer valid`);
        return;
      }
      for (const operation of portion) left = this.#operate(site, operation, left);
    }
    const hasLaunched = left !== offered;
    this.#refuse(site, left, accept.filters?.refuse_seconds, hasLaunched);
  }

  /**
   * Lets others have their turn. What is left of the offers is one again meanwhile: whatever makes an
   * offer void makes this one so too. @returns whether it is still there.
   */
  *#pause(offer: Offer, left: Resources): Generator<undefined, boolean> {
    const { state, allocator } = this.#core;
    state.addOffer({ ...offer, resources: left });
    allocator.noteTaken(offer.agent_id.value, offer.framework_id.value, left);
    yield;
    return state.removeOffer(offer.id.value) !== undefined;
  }

  decline(framework: Framework, { decline }: DeclineCall): void {
    const { state } = this.#core;
    for (const { value } of decline.offer_ids ?? []) {
      if (!this.#owns(framework, value)) continue;
      const offer = state.removeOffer(value);
      const agent = state.agents.get(offer?.agent_id.value ?? '');
      if (offer === undefined || agent === undefined) continue;
      const site = { framework, agent, role: offer.allocation_info?.role ?? '*' };
      const seconds = decline.filters?.refuse_seconds;
      this.#refuse(site, offer.resources ?? [], seconds, false);
    }
  }

  /** As Mesos words it, and in its order. */
  #offersProblem(framework: Framework, offerIds: readonly string[]): string | undefined {
    const { state } = this.#core;
    if (offerIds.length === 0) return 'No offers specified';
    const [duplicate] = repeated(offerIds);
    if (duplicate !== undefined) return `Duplicate offer ${duplicate} in offer list`;
    const stale = offerIds.find((id) => !this.#owns(framework, id));
    if (stale !== undefined) return `Offer ${stale} is no longer valid`;
    const offers = offerIds.flatMap((id) => state.offers.get(id) ?? []);
    return rolesProblem(offers) ?? agentsProblem(offers);
  }

  #owns(framework: Framework, offerId: string): boolean {
    return this.#core.state.offers.get(offerId)?.framework_id.value === framework.id;
  }

  #isAlive(framework: Framework, taskId: string): boolean {
    const { state } = this.#core;
    return (
      state.findTask(framework.id, taskId) !== undefined ||
      state.unreachableTasks.has(taskKey(framework.id, taskId))
    );
  }

  *#drop(framework: Framework, operations: readonly OfferOperation[], why: string): Slices {
    for (const [index, portion] of portionsOf(operations).entries()) {
      if (index > 0) yield;
      this.#dropPortion(framework, portion, why);
    }
  }

  #dropPortion(framework: Framework, operations: readonly OfferOperation[], why: string): void {
    const state = this.#core.lostState(framework.info, 'TASK_DROPPED');
    const message = `Task launched with invalid offers: ${why}`;
    for (const { task_id, agent_id } of operations.flatMap(tasksOfOperation)) {
      if (this.#isAlive(framework, task_id.value)) {
        // An ACCEPT that came twice: to say that its task was never launched would be untrue.
        tellLatest(this.#core, framework, { task_id, agent_id });
        continue;
      }
      const reason = 'REASON_INVALID_OFFERS';
      const status = this.#core.masterStatus(task_id.value, agent_id.value, state, reason, message);
      this.#core.sendStatus(framework, status);
    }
    for (const operation of operations) refuseStale(this.#core, framework, operation, why);
  }

  /** One operation; gives what is left of the offers after it. */
  #operate(site: Site, operation: OfferOperation, available: Resources): Resources {
    switch (operation.type) {
      case 'LAUNCH':
        return this.#launch(site, operation.launch.task_infos ?? [], available);
      case 'LAUNCH_GROUP':
        return this.#launchGroup(site, operation, available);
      default:
        return applyToOffers(this.#core, site, operation, available);
    }
  }

  #context(
    { framework, agent }: Site,
    available: Resources,
    launched: ReadonlySet<string> = NONE,
  ): LaunchContext {
    const { state } = this.#core;
    return {
      frameworkId: framework.id,
      agentId: agent.id,
      available,
      isTaskKnown: (taskId) =>
        launched.has(taskId) || state.findTask(framework.id, taskId) !== undefined,
      isTaskUnreachable: (taskId) => state.unreachableTasks.has(taskKey(framework.id, taskId)),
      executor: (id) => agent.executors.get(executorKey(framework.id, id))?.info,
      tasksOfExecutor: (id) =>
        [...agent.tasks.values()].filter(
          (task) => task.framework_id.value === framework.id && task.executor_id?.value === id,
        ),
    };
  }

  #launch(site: Site, infos: readonly TaskInfo[], available: Resources): Resources {
    let left = available;
    const runs: TaskInfo[] = [];
    const launched = new Set<string>();
    for (const info of infos) {
      const task = {
        ...this.#completed(site, info),
        executor: this.#completedExecutor(site, info),
      };
      const forbidden = launchRefusal(this.#core.authorizer, site.framework.info, [task]);
      if (forbidden !== undefined) {
        this.#refuseTask(site.framework, task, 'REASON_TASK_UNAUTHORIZED', forbidden);
        continue;
      }
      const context = this.#context(site, left, launched);
      const problem = launchProblem(task, context);
      if (problem !== undefined) {
        this.#refuseTask(site.framework, task, 'REASON_TASK_INVALID', problem);
        continue;
      }
      left = takeResources(left, neededFor(task, context));
      this.#recordExecutor(site, task.executor);
      launched.add(task.task_id.value);
      runs.push(task);
    }
    this.#record(site, runs);
    // One event, and one checkpoint of the agent, for all tasks of an executor.
    const byExecutor = Map.groupBy(runs, (run) => run.executor?.executor_id.value ?? run);
    for (const tasks of byExecutor.values()) this.#run(site, tasks[0]?.executor, tasks);
    return left;
  }

  #launchGroup(site: Site, operation: GroupOperation, available: Resources): Resources {
    const { executor: info, task_group } = operation.launch_group;
    const executor = this.#executorOf(site, info);
    const tasks = (task_group.tasks ?? []).map((task) => ({
      ...this.#completed(site, task),
      executor: this.#completedExecutor(site, task) ?? executor,
    }));
    const forbidden = launchRefusal(this.#core.authorizer, site.framework.info, tasks);
    if (forbidden !== undefined) {
      for (const task of tasks) {
        this.#refuseTask(site.framework, task, 'REASON_TASK_GROUP_UNAUTHORIZED', forbidden);
      }
      return available;
    }
    const context = this.#context(site, available);
    const problem = groupProblem(tasks, executor, context);
    if (problem !== undefined) {
      // All or nothing.
      for (const task of tasks) {
        this.#refuseTask(site.framework, task, 'REASON_TASK_GROUP_INVALID', problem);
      }
      return available;
    }
    const left = takeResources(available, neededForGroup(tasks, executor, context));
    this.#recordExecutor(site, executor);
    this.#record(site, tasks);
    this.#run(site, executor, tasks, true);
    return left;
  }

  #run(
    { framework, agent }: Site,
    executor: ExecutorInfo | undefined,
    tasks: readonly TaskInfo[],
    isGroup = false,
  ): void {
    agent.stream?.send({
      type: 'RUN_TASKS',
      framework: framework.info,
      executor,
      tasks,
      ...(isGroup ? { task_group: { tasks } } : {}),
    });
  }

  #completed({ role }: Site, task: TaskInfo): TaskInfo {
    return { ...task, resources: asOffered(task.resources, role) };
  }

  #completedExecutor(site: Site, { executor }: TaskInfo): ExecutorInfo | undefined {
    return executor && this.#executorOf(site, executor);
  }

  #executorOf({ framework, role }: Site, executor: ExecutorInfo): ExecutorInfo {
    return {
      ...executor,
      framework_id: executor.framework_id ?? { value: framework.id },
      resources: asOffered(executor.resources, role),
    };
  }

  /** Takes the resources and remembers the tasks: the books are changed once for all of them. */
  #record({ framework, agent }: Site, tasks: readonly TaskInfo[]): void {
    const owners = { framework_id: { value: framework.id }, agent_id: { value: agent.id } };
    const launched: Task[] = [];
    for (const task of tasks) launched.push(launchedTask(task, owners, launched.at(-1)));
    this.#core.state.putTasks(agent, launched);
    for (const task of launched) {
      this.#core.events.emit(() => ({ type: 'TASK_ADDED', task_added: { task } }));
    }
  }

  #recordExecutor({ framework, agent }: Site, executor: ExecutorInfo | undefined): void {
    if (executor !== undefined) this.#core.state.putExecutor(agent, framework.id, executor);
  }

  #refuseTask(
    framework: Framework,
    { task_id, agent_id }: TaskInfo,
    reason: TaskStatusReason,
    message: string,
  ): void {
    const [task, agent] = [task_id.value, agent_id.value];
    const status = this.#core.masterStatus(task, agent, 'TASK_ERROR', reason, message);
    this.#core.sendStatus(framework, status);
  }

  /**
   * Remembers that the framework does not want these resources for a while. One that refuses for no
   * time is offered the same at once if it has launched something meanwhile; otherwise it has to
   * wait for the allocation interval, as in Mesos: it could go on like this for ever.
   */
  #refuse(
    { framework, agent, role }: Site,
    resources: Resources,
    refuseSeconds: number | undefined,
    isOfferedAtOnce: boolean,
  ): void {
    const wished = refuseSeconds ?? REFUSE_SECONDS_DEFAULT;
    const seconds = wished >= 0 ? Math.min(wished, REFUSE_SECONDS_MAX) : REFUSE_SECONDS_DEFAULT;
    const isNothing = !resources.some(({ type }) => type === 'SCALAR');
    if (isNothing || (seconds === 0 && isOfferedAtOnce)) return;
    const { allocator, clock, nextExpiryMs } = this.#core;
    const expiresAtMs = Math.max(nextExpiryMs, clock.monotonicMs() + seconds * 1000);
    const refused = { frameworkId: framework.id, role, agentId: agent.id };
    allocator.refuse(refused, unallocateResources(resources), expiresAtMs);
  }
}

function rolesProblem(offers: readonly Offer[]): string | undefined {
  const role = offers[0]?.allocation_info?.role;
  const other = offers.find((offer) => offer.allocation_info?.role !== role);
  return (
    other &&
    `Aggregated offers must be allocated to the same role. Offer ${other.id.value} uses role ` +
      `'${other.allocation_info?.role} but another is using role '${role}`
  );
}

function agentsProblem(offers: readonly Offer[]): string | undefined {
  const agentId = offers[0]?.agent_id.value;
  const other = offers.find((offer) => offer.agent_id.value !== agentId);
  return (
    other &&
    `Aggregated offers must belong to one single agent. Offer ${other.id.value} uses agent ` +
      `${other.agent_id.value} and agent ${agentId}`
  );
}

function tasksOfOperation(operation: OfferOperation): readonly TaskInfo[] {
  if (operation.type === 'LAUNCH') return operation.launch.task_infos ?? [];
  if (operation.type === 'LAUNCH_GROUP') return operation.launch_group.task_group.tasks ?? [];
  return [];
}
