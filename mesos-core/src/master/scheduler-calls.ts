import type { SchedulerCall } from '../protocol/index.ts';
import { OfferAnswers } from './accept.ts';
import { tellAllocator } from './allocator-facts.ts';
import { CallOrder, type Slices } from './call-order.ts';
import type { MasterCore } from './core.ts';
import { acknowledgeOperation, reconcileOperations } from './operations/feedback.ts';
import { Reconciliation, tellLatest } from './reconcile.ts';
import { type Framework, isTerminal, type KillOrder, rolesOf, taskKey } from './state.ts';

type Call<T extends SchedulerCall['type']> = Extract<SchedulerCall, { type: T }>;

/** Calls that the routes deal with themselves: they change the framework as such. */
type OwnLifeCall = 'SUBSCRIBE' | 'TEARDOWN' | 'UPDATE_FRAMEWORK';
type OrdinaryCall = Exclude<SchedulerCall, { type: OwnLifeCall }>;

/** Everything that a subscribed scheduler may ask, once its call was found to be in order. */
export class SchedulerCalls {
  readonly #core: MasterCore;
  readonly #offers: OfferAnswers;
  readonly #reconciliation: Reconciliation;
  readonly #order: CallOrder;

  constructor(core: MasterCore) {
    this.#core = core;
    this.#offers = new OfferAnswers(core);
    this.#reconciliation = new Reconciliation(core);
    this.#order = new CallOrder((error) => core.logger.error({ err: error }, 'a call failed'));
  }

  /** Carries out one call; when another of the framework is under way, after that. */
  handle(framework: Framework, call: OrdinaryCall): void {
    this.#order.run(framework.id, () => this.#begin(framework, call));
  }

  /** What a long call leaves to be done, or `undefined`. */
  #begin(framework: Framework, call: OrdinaryCall): Slices | undefined {
    switch (call.type) {
      case 'ACCEPT':
        return this.#offers.accept(framework, call);
      case 'DECLINE':
        this.#offers.decline(framework, call);
        break;
      case 'REVIVE':
        this.#revive(framework, call.revive?.roles ?? []);
        break;
      case 'SUPPRESS':
        this.#suppress(framework, call.suppress?.roles ?? []);
        break;
      case 'KILL':
        this.#kill(framework, call);
        break;
      case 'ACKNOWLEDGE':
        this.#acknowledge(framework, call);
        break;
      case 'RECONCILE':
        this.#reconciliation.answer(framework, call.reconcile.tasks ?? []);
        break;
      case 'MESSAGE':
        this.#message(framework, call);
        break;
      case 'SHUTDOWN':
        this.#shutdown(framework, call);
        break;
      case 'REQUEST':
        // Mesos' own allocators take no notice of requests either.
        break;
      case 'ACKNOWLEDGE_OPERATION_STATUS':
        acknowledgeOperation(this.#core, framework, call);
        break;
      case 'RECONCILE_OPERATIONS':
        reconcileOperations(this.#core, framework, call);
        break;
      case 'ACCEPT_INVERSE_OFFERS':
      case 'DECLINE_INVERSE_OFFERS':
        this.#core.inverseOffers.answer(framework, call);
        break;
    }
    return undefined;
  }

  #revive(framework: Framework, roles: readonly string[]): void {
    const revived = roles.length === 0 ? rolesOf(framework.info) : roles;
    for (const role of revived) framework.suppressedRoles.delete(role);
    tellAllocator(this.#core, framework);
    this.#core.allocator.forgetRefusals(framework.id, revived);
  }

  #suppress(framework: Framework, roles: readonly string[]): void {
    const own = new Set(rolesOf(framework.info));
    const suppressed = roles.length === 0 ? own : roles.filter((role) => own.has(role));
    for (const role of suppressed) framework.suppressedRoles.add(role);
    tellAllocator(this.#core, framework);
  }

  #kill(framework: Framework, { kill }: Call<'KILL'>): void {
    const { state } = this.#core;
    const task = state.findTask(framework.id, kill.task_id.value);
    const agent = state.agents.get(task?.agent_id.value ?? '');
    if (task === undefined || agent === undefined) {
      tellLatest(this.#core, framework, kill);
      return;
    }
    // As Mesos: somebody else's task of the same name must not die.
    if (kill.agent_id !== undefined && kill.agent_id.value !== agent.id) return;
    const order: KillOrder = {
      type: 'KILL_TASK',
      framework_id: framework.id,
      task_id: kill.task_id.value,
      kill_policy: kill.kill_policy,
    };
    if (!isTerminal(task.state)) agent.kills.set(taskKey(framework.id, order.task_id), order);
    agent.stream?.send(order);
  }

  #acknowledge(framework: Framework, { acknowledge }: Call<'ACKNOWLEDGE'>): void {
    const { state } = this.#core;
    const agent = state.agents.get(acknowledge.agent_id.value);
    this.#core.metrics.countChecked('status_update_acknowledgements', agent?.stream !== undefined);
    // The agent sends the update again when it is back.
    if (agent?.stream === undefined) return;
    const taskId = acknowledge.task_id.value;
    const task = agent.tasks.get(taskKey(framework.id, taskId));
    if (task?.status_update_uuid === acknowledge.uuid) {
      const isOver = task.status_update_state !== undefined && isTerminal(task.status_update_state);
      if (isOver) state.removeTask(agent, task);
    }
    agent.stream.send({
      type: 'ACKNOWLEDGED',
      framework_id: framework.id,
      task_id: taskId,
      uuid: acknowledge.uuid,
    });
  }

  #message(framework: Framework, { message }: Call<'MESSAGE'>): void {
    const agent = this.#core.state.agents.get(message.agent_id.value);
    this.#core.metrics.countChecked('framework_to_executor_messages', agent !== undefined);
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
