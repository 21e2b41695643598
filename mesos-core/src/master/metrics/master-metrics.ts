import type {
  AgentCall,
  OfferOperation,
  Operation,
  SchedulerCall,
  SchedulerEvent,
  Task,
  TaskState,
  TaskStatus,
} from '../../protocol/index.ts';
import { isTerminalOperation } from '../operations/book.ts';
import { isTerminal } from '../state.ts';
import { Counters } from './counters.ts';
import { MESSAGE_OF_AGENT_CALL, MESSAGE_OF_CALL } from './names.ts';
import { Timing } from './timing.ts';

/** Sources and reasons of ends that are told apart; forged ones must not fill the memory. */
const ENDS_MAX = 1000;

/**
 * What has happened since this master leads, counted where it happens: reading it costs nothing
 * that grows with the cluster. Names are Mesos', without `master/`.
 */
export class MasterMetrics {
  readonly counters = new Counters();
  readonly allocationRun = new Timing();
  readonly allocationLatency = new Timing();
  readonly registryStore = new Timing();
  /** How long the registry took to be read at the start. */
  registryFetchMs = 0;
  readonly #frameworks = new Map<string, Counters>();
  readonly #ends = new Counters();
  #endsCount = 0;

  /** Ends of tasks by state, source and reason. */
  get ends(): Iterable<readonly [string, number]> {
    return this.#ends.entries();
  }

  framework(frameworkId: string): Counters {
    const known = this.#frameworks.get(frameworkId);
    if (known !== undefined) return known;
    const made = new Counters();
    this.#frameworks.set(frameworkId, made);
    return made;
  }

  forgetFramework(frameworkId: string): void {
    this.#frameworks.delete(frameworkId);
  }

  count(name: string, by = 1): void {
    this.counters.add(name, by);
  }

  /** Something came that made sense, or did not. */
  countChecked(name: string, isValid: boolean): void {
    this.count(`${isValid ? 'valid' : 'invalid'}_${name}`);
  }

  /** @param isOffer whether an offer is still open when the call comes. */
  onCall(frameworkId: string, call: SchedulerCall, isOffer: (offerId: string) => boolean): void {
    const own = this.framework(frameworkId);
    own.add('calls');
    own.add(`calls/${call.type.toLowerCase()}`);
    const message = MESSAGE_OF_CALL[call.type];
    if (message !== undefined) this.count(message);
    if (call.type === 'DECLINE') {
      own.add('offers/declined', openOffers(call.decline, isOffer));
    } else if (call.type === 'ACCEPT') {
      own.add('offers/accepted', openOffers(call.accept, isOffer));
      for (const operation of call.accept.operations ?? []) this.#onOperationOf(own, operation);
    }
  }

  /** A framework has subscribed. */
  onSubscribe(frameworkId: string, isNew: boolean): void {
    this.count(isNew ? 'messages_register_framework' : 'messages_reregister_framework');
    this.framework(frameworkId).add('calls');
    this.framework(frameworkId).add('calls/subscribe');
  }

  /** An agent has subscribed. */
  onAgentSubscribe(isFirst: boolean): void {
    this.count(isFirst ? 'messages_register_slave' : 'messages_reregister_slave');
    this.count(isFirst ? 'slave_registrations' : 'slave_reregistrations');
  }

  /** An agent was removed, and why. */
  onAgentRemoval(tasksEndAs: TaskState): void {
    this.count('slave_removals');
    if (tasksEndAs !== 'TASK_UNREACHABLE') return;
    this.count('slave_removals/reason_unhealthy');
    this.count('slave_unreachable_completed');
  }

  onAgentCall(call: AgentCall): void {
    if (call.type === 'UPDATES') this.count('messages_status_update', call.updates.length);
    const message = MESSAGE_OF_AGENT_CALL[call.type];
    if (message !== undefined) this.count(message);
  }

  /** An event went out to a framework. */
  onEvent(frameworkId: string, event: SchedulerEvent): void {
    const own = this.framework(frameworkId);
    own.add('events');
    own.add(`events/${event.type.toLowerCase()}`);
    if (event.type === 'OFFERS') own.add('offers/sent', event.offers.offers?.length ?? 0);
    if (event.type === 'RESCIND') own.add('offers/rescinded');
  }

  /** A task came, changed, or went; see `MasterState`. */
  onTask(before: Task | undefined, after: Task | undefined): void {
    if (before?.state === after?.state) return;
    const frameworkId = (after ?? before)?.framework_id.value ?? '';
    const own = this.framework(frameworkId);
    if (before !== undefined && !isTerminal(before.state)) own.add(activeName(before), -1);
    if (after === undefined) return;
    if (!isTerminal(after.state)) {
      own.add(activeName(after));
      return;
    }
    if (before === undefined) return;
    this.#onEnd(after.framework_id.value, after.state, after.statuses?.at(-1));
  }

  /** The master itself told a framework of an end: of a task that never was, or with its agent. */
  onMasterStatus(frameworkId: string | undefined, status: TaskStatus): void {
    if (!isTerminal(status.state) || status.reason === 'REASON_RECONCILIATION') return;
    this.#onEnd(frameworkId, status.state, status);
  }

  onOperation(before: Operation | undefined, after: Operation | undefined): void {
    const type = (after ?? before)?.info.type?.toLowerCase() ?? 'unknown';
    const from = before?.latest_status.state;
    const to = after?.latest_status.state;
    const names = ['operations', `operations/${type}`];
    for (const name of before === undefined ? names : []) this.count(`${name}/total`);
    if (from === to) return;
    for (const name of names) {
      if (from !== undefined && !isTerminalOperation(from)) this.count(stateName(name, from), -1);
      if (to !== undefined) this.count(stateName(name, to));
    }
  }

  #onOperationOf(own: Counters, operation: OfferOperation): void {
    const type = operation.type.toLowerCase();
    own.add('operations');
    own.add(`operations/${type}`);
    if (type === 'launch' || type === 'launch_group') this.count('messages_launch_tasks');
  }

  #onEnd(frameworkId: string | undefined, state: string, status: TaskStatus | undefined): void {
    const name = state.toLowerCase().replace('task_', '');
    this.count(`tasks_${name}`);
    if (frameworkId !== undefined) this.framework(frameworkId).add(`tasks/terminal/task_${name}`);
    if (status?.source === undefined || status.state !== state) return;
    const reason = status.reason === undefined ? '' : `/${status.reason.toLowerCase()}`;
    const end = `task_${name}/${status.source.toLowerCase()}${reason}`;
    if (this.#ends.get(end) === 0) this.#endsCount += 1;
    if (this.#endsCount <= ENDS_MAX) this.#ends.add(end);
  }
}

function openOffers(
  answer: { readonly offer_ids?: readonly { readonly value: string }[] | undefined },
  isOffer: (offerId: string) => boolean,
): number {
  return (answer.offer_ids ?? []).filter(({ value }) => isOffer(value)).length;
}

function activeName({ state }: Task): string {
  return `tasks/active/${state.toLowerCase()}`;
}

function stateName(prefix: string, state: string): string {
  return `${prefix}/${state.toLowerCase().replace('operation_', '')}`;
}
