import {
  type DesiredChange,
  EXECUTOR_HEARTBEAT_INTERVAL_MS,
  type ExecutorMessage,
  ExecutorMessageSchema,
  type OperationRequest,
  parseVmTaskId,
  type SchedulerMessage,
  type VmAssignment,
} from '@factory/contracts';
import type { Clock, Logger, Timer } from '@factory/runtime';
import type { SchedulerCall, SchedulerEvent, TaskStatus } from 'mesos-core/protocol';
import { Compile } from 'typebox/compile';
import type { Framework } from './framework.ts';
import { Launcher } from './launcher.ts';
import { nextAction } from './next-action.ts';
import { EXECUTOR_ID } from './offers.ts';
import { OperationDesk } from './operations.ts';
import type { SchedulerState } from './state.ts';
import { overdueChanges, silentChanges } from './sweep.ts';
import { applyTaskStatus } from './task-status.ts';
import {
  applyAssignment,
  applyDesired,
  applyObservation,
  currentTaskId,
  newVmRecord,
  toPhase,
  type VmRecord,
  vmIdOf,
} from './vm-record.ts';

const executorMessage = Compile(ExecutorMessageSchema);

/** How often deadlines and silences are looked for. */
const SWEEP_INTERVAL_MS = 1_000;
/** A host whose executor missed this many heartbeats is silent. */
const MISSED_HEARTBEATS_MAX = 3;
/** How often a master that did not answer an explicit reconciliation is asked again. */
const RECONCILE_RETRY_MS = 10_000;
/** How often the master is asked about everything, in case an update was lost. */
const RECONCILE_ALL_INTERVAL_MS = 10 * 60_000;

export interface VmSchedulerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly framework: Framework;
  readonly state: SchedulerState;
  readonly role: string;
  /** A shell command that starts the executor on an agent's host. */
  readonly executorCommand: string;
  readonly saveFrameworkId: (frameworkId: string | undefined) => Promise<void>;
}

/**
 * The VM framework. Everything that comes in (wishes, Mesos' events, executors' words) changes a
 * record by a pure function; then `#drive` does what the record says has to be done next. Any
 * message may be lost, late or doubled: the same end is reached.
 */
export class VmScheduler {
  readonly #options: VmSchedulerOptions;
  readonly #state: SchedulerState;
  readonly #launcher: Launcher;
  readonly #operations: OperationDesk;
  /** When each agent's executor was last heard, on the monotonic clock. */
  readonly #heardAtMs = new Map<string, number>();
  /** Tasks the master was asked about, and when. */
  readonly #askedAtMs = new Map<string, number>();
  #frameworkId: string | undefined;
  #isSubscribed = false;
  #sweepTimer: Timer | undefined;
  #reconciledAllAtMs = 0;

  constructor(options: VmSchedulerOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#launcher = new Launcher({
      state: options.state,
      clock: options.clock,
      logger: options.logger,
      send: (call) => this.#call(call),
      template: () => this.#template(),
      onUnknownOutcome: (records) => this.#reconcile(records),
    });
    this.#operations = new OperationDesk({
      state: options.state,
      clock: options.clock,
      tell: (agentId, message) => this.#tell(agentId, message),
    });
  }

  /** Loads what earlier runs knew and subscribes. */
  async start(): Promise<void> {
    this.#frameworkId = await this.#state.load();
    this.#options.framework.start(this.#frameworkId, {
      onEvent: (event) => this.#onEvent(event),
      onDisconnected: () => {
        this.#isSubscribed = false;
        this.#launcher.reset();
      },
    });
    this.#scheduleSweep();
  }

  async close(): Promise<void> {
    this.#sweepTimer?.cancel();
    this.#state.changes.wake();
    await this.#options.framework.close();
    await this.#state.commit();
  }

  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  /** Takes VMs; resolves when they are durable. Repeating it changes nothing. */
  async putVms(assignments: readonly VmAssignment[]): Promise<void> {
    const { clock } = this.#options;
    const records = assignments.map((assignment) => {
      const known = this.#state.vm(assignment.vmId);
      return known === undefined
        ? newVmRecord(assignment, clock.nowMs())
        : applyDesired(applyAssignment(known, assignment), assignment, clock.nowMs());
    });
    await this.#putAndDrive(records);
  }

  /** Takes wishes for VMs that are known; others were never given to this cluster and are ignored. */
  async setDesired(changes: readonly DesiredChange[]): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const records = changes.flatMap((change) => {
      const known = this.#state.vm(change.vmId);
      return known === undefined ? [] : [applyDesired(known, change, nowMs)];
    });
    await this.#putAndDrive(records);
  }

  /** Takes one-shot actions; each is carried out once, whatever is repeated. */
  async operate(requests: readonly OperationRequest[]): Promise<void> {
    await this.#operations.request(requests);
  }

  async #putAndDrive(records: readonly VmRecord[]): Promise<void> {
    for (const record of records) this.#state.putVm(record);
    await this.#state.commit();
    this.#drive(records.flatMap((record) => this.#state.vm(vmIdOf(record)) ?? []));
    await this.#state.commit();
  }

  /** Does what each record says has to be done next. */
  #drive(records: readonly VmRecord[]): void {
    const tellByAgent = new Map<string, VmRecord[]>();
    let isLaunchNeeded = false;
    for (const record of records) {
      const action = nextAction(record);
      switch (action.type) {
        case 'none':
          break;
        case 'launch':
          isLaunchNeeded ||= action.notBeforeMs <= this.#options.clock.nowMs();
          break;
        case 'markDeleted':
          this.#state.putVm(toPhase(record, 'deleted', this.#options.clock.nowMs()));
          break;
        case 'kill':
          this.#kill(record);
          break;
        case 'tellDesired': {
          const agentId = record.task?.agentId ?? '';
          tellByAgent.set(agentId, [...(tellByAgent.get(agentId) ?? []), record]);
          break;
        }
      }
    }
    for (const [agentId, ofAgent] of tellByAgent) this.#tellDesired(agentId, ofAgent);
    if (isLaunchNeeded) this.#launcher.revive();
  }

  #tellDesired(agentId: string, records: readonly VmRecord[]): void {
    const changes = records.map(({ assignment: { vmId, generation, desired } }) => ({
      vmId,
      generation,
      desired,
    }));
    this.#tell(agentId, { type: 'setDesired', changes });
  }

  #kill(record: VmRecord): void {
    const taskId = currentTaskId(record);
    if (taskId === undefined || this.#frameworkId === undefined) return;
    this.#send({
      type: 'KILL',
      framework_id: { value: this.#frameworkId },
      kill: { task_id: { value: taskId }, agent_id: { value: record.task?.agentId ?? '' } },
    });
  }

  #tell(agentId: string, message: SchedulerMessage): void {
    if (this.#frameworkId === undefined) return;
    this.#send({
      type: 'MESSAGE',
      framework_id: { value: this.#frameworkId },
      message: {
        agent_id: { value: agentId },
        executor_id: { value: EXECUTOR_ID },
        data: Buffer.from(JSON.stringify(message)).toString('base64'),
      },
    });
  }

  /** For calls that the next heartbeat or sweep repeats if they are lost. */
  #send(call: SchedulerCall): void {
    this.#call(call).catch((error: unknown) => {
      this.#options.logger.warn({ error, call: call.type }, 'call was not accepted');
    });
  }

  async #call(call: SchedulerCall): Promise<void> {
    await this.#options.framework.call(call);
  }

  #template() {
    const { role, executorCommand } = this.#options;
    if (this.#frameworkId === undefined || !this.#isSubscribed) return undefined;
    return { frameworkId: this.#frameworkId, role, command: executorCommand };
  }

  #onEvent(event: SchedulerEvent): void {
    switch (event.type) {
      case 'SUBSCRIBED':
        this.#onSubscribed(event.subscribed.framework_id.value);
        break;
      case 'OFFERS':
        this.#launcher.addOffers(event.offers.offers ?? []);
        break;
      case 'RESCIND':
        this.#launcher.rescind(event.rescind.offer_id.value);
        break;
      case 'UPDATE':
        this.#background(this.#onStatus(event.update.status));
        break;
      case 'MESSAGE':
        this.#background(this.#onMessage(event.message.agent_id.value, event.message.data));
        break;
      case 'ERROR':
        this.#background(this.#onError(event.error.message));
        break;
      default:
        break;
    }
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.logger.error({ error }, 'event not handled'));
  }

  #onSubscribed(frameworkId: string): void {
    this.#frameworkId = frameworkId;
    this.#isSubscribed = true;
    this.#launcher.reset();
    this.#askedAtMs.clear();
    this.#background(this.#options.saveFrameworkId(frameworkId));
    this.#reconcileAll();
    for (const agentId of this.#state.agentIds()) this.#tell(agentId, { type: 'report' });
    this.#launcher.trigger();
  }

  /** The master forgot the framework and ended its tasks: the VMs are found again by their domains. */
  async #onError(message: string): Promise<void> {
    this.#options.logger.error({ message }, 'the master refuses this framework');
    if (!message.includes('Framework has been removed')) return;
    this.#frameworkId = undefined;
    await this.#options.saveFrameworkId(undefined);
  }

  /** A task status; acknowledged only when what follows from it is durable. */
  async #onStatus(status: TaskStatus): Promise<void> {
    const taskId = status.task_id.value;
    this.#askedAtMs.delete(taskId);
    const record = this.#state.vm(parseVmTaskId(taskId)?.vmId ?? '');
    if (record !== undefined && currentTaskId(record) === taskId) {
      const facts = {
        state: status.state,
        source: status.source,
        reason: status.reason,
        message: status.message,
      };
      const next = applyTaskStatus(record, facts, this.#options.clock.nowMs());
      this.#state.putVm(next);
      await this.#state.commit();
      this.#drive([this.#state.vm(vmIdOf(next)) ?? next]);
    }
    this.#acknowledge(status);
  }

  #acknowledge(status: TaskStatus): void {
    const { uuid, agent_id, task_id } = status;
    if (uuid === undefined || agent_id === undefined || this.#frameworkId === undefined) return;
    this.#send({
      type: 'ACKNOWLEDGE',
      framework_id: { value: this.#frameworkId },
      acknowledge: { agent_id, task_id, uuid },
    });
  }

  async #onMessage(agentId: string, data: string): Promise<void> {
    const message = decodeExecutorMessage(data);
    if (message === undefined) {
      this.#options.logger.warn({ agentId }, 'an executor sent something that is no message');
      return;
    }
    const { clock } = this.#options;
    this.#heardAtMs.set(agentId, clock.monotonicMs());
    const heard: string[] = [];
    for (const observation of message.vms) {
      const record = this.#state.vm(observation.vmId);
      if (record?.task?.agentId !== agentId) continue;
      this.#state.putVm(applyObservation(record, observation, clock.nowMs()));
      heard.push(observation.vmId);
    }
    this.#operations.results(agentId, message.operations);
    await this.#state.commit();
    this.#operations.acknowledge(agentId, message.operations);
    if (!message.full) return;
    // The heartbeat is also the moment at which everything unanswered is said again.
    this.#drive(heard.flatMap((vmId) => this.#state.vm(vmId) ?? []));
    this.#operations.repeat(agentId);
  }

  /** Asks the master about the tasks of these VMs. */
  #reconcile(records: readonly VmRecord[]): void {
    if (this.#frameworkId === undefined || !this.#isSubscribed || records.length === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    const tasks = records.flatMap((record) => {
      const taskId = currentTaskId(record);
      if (taskId === undefined || record.task === null) return [];
      this.#askedAtMs.set(taskId, nowMs);
      return [{ task_id: { value: taskId }, agent_id: { value: record.task.agentId } }];
    });
    this.#send({
      type: 'RECONCILE',
      framework_id: { value: this.#frameworkId },
      reconcile: { tasks },
    });
  }

  #reconcileAll(): void {
    this.#reconciledAllAtMs = this.#options.clock.monotonicMs();
    this.#reconcile([...this.#state.vms()].filter((record) => record.task !== null));
  }

  #scheduleSweep(): void {
    this.#sweepTimer = this.#options.clock.after(SWEEP_INTERVAL_MS, () => {
      this.#background(this.#sweep());
      this.#scheduleSweep();
    });
  }

  /** No state without an owner and a deadline. */
  async #sweep(): Promise<void> {
    const { clock } = this.#options;
    for (const record of silentChanges(this.#state, this.#silentAgents(), clock.nowMs())) {
      this.#state.putVm(record);
    }
    const overdue = overdueChanges(this.#state.vms(), clock.nowMs());
    for (const record of overdue.changed) this.#state.putVm(record);
    this.#state.remove(overdue.forgotten);
    this.#state.remove(this.#operations.expired());
    for (const record of overdue.killed) this.#kill(record);
    await this.#state.commit();
    if (!this.#isSubscribed) return;
    this.#reconcile(overdue.unanswered.filter((record) => this.#mayAskAgain(record)));
    const isDue = clock.monotonicMs() - this.#reconciledAllAtMs > RECONCILE_ALL_INTERVAL_MS;
    if (isDue) this.#reconcileAll();
    if (overdue.isLaunchDue) this.#launcher.trigger();
  }

  #mayAskAgain(record: VmRecord): boolean {
    const askedAtMs = this.#askedAtMs.get(currentTaskId(record) ?? '');
    const nowMs = this.#options.clock.monotonicMs();
    return askedAtMs === undefined || nowMs - askedAtMs > RECONCILE_RETRY_MS;
  }

  #silentAgents(): readonly string[] {
    const nowMs = this.#options.clock.monotonicMs();
    const limitMs = MISSED_HEARTBEATS_MAX * EXECUTOR_HEARTBEAT_INTERVAL_MS;
    return this.#state.agentIds().filter((agentId) => {
      const heardAtMs = this.#heardAtMs.get(agentId);
      // Right after a start nobody was heard yet: the silence counts from here.
      if (heardAtMs === undefined) this.#heardAtMs.set(agentId, nowMs);
      return heardAtMs !== undefined && nowMs - heardAtMs > limitMs;
    });
  }
}

function decodeExecutorMessage(data: string): ExecutorMessage | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data, 'base64').toString('utf8'));
    return executorMessage.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
