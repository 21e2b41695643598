import type {
  Changes,
  DesiredChange,
  OperationRequest,
  VmAssignment,
  VmEpoch,
  VmId,
} from '@factory/contracts';
import type { Clock, Logger, SecretBox, Timer } from '@factory/runtime';
import type { SchedulerEvent } from 'mesos-core/protocol';
import { sealedSpec } from './admin-passwords.ts';
import { ExecutorDesk } from './executor-desk.ts';
import type { Framework } from './framework.ts';
import { FrameworkIdentity } from './framework-identity.ts';
import { HostSilence } from './host-silence.ts';
import { ImageDesk } from './images/image-desk.ts';
import { Launcher } from './launcher.ts';
import { MesosCalls } from './mesos-calls.ts';
import { MissingVms } from './missing-vms.ts';
import { nextAction } from './next-action.ts';
import { OperationDesk } from './operations.ts';
import { OrphanList } from './orphan-list.ts';
import { PeersDesk } from './peers-desk.ts';
import { type AgentView, PlacementDesk } from './placement-desk.ts';
import { Reconciler } from './reconciler.ts';
import type { SchedulerState } from './state.ts';
import { StatusDesk } from './status-desk.ts';
import { overdueChanges, silentChanges } from './sweep.ts';
import {
  applyAssignment,
  applyDesired,
  applyHostGone,
  applyRemoval,
  applyWithdrawal,
  currentTaskId,
  isMissing,
  newVmRecord,
  toDesiredChange,
  type VmRecord,
  vmIdOf,
} from './vm-record.ts';
import { VmUse } from './vm-use.ts';
import { Wakes } from './wakes.ts';

/** How often deadlines and silences are looked for. */
const SWEEP_INTERVAL_MS = 1_000;

export interface VmSchedulerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly framework: Framework;
  readonly state: SchedulerState;
  readonly role: string;
  /** A shell command that starts the executor on an agent's host. */
  readonly executorCommand: string;
  /** Images copied to hosts at a time. */
  readonly pullsMax: number;
  readonly saveFrameworkId: (frameworkId: string | undefined) => Promise<void>;
  /** Seals what only executors may read; absent: nothing is. */
  readonly secrets?: SecretBox | undefined;
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
  readonly #placement: PlacementDesk;
  readonly #wakes: Wakes;
  readonly #operations: OperationDesk;
  readonly #peers: PeersDesk;
  readonly #calls: MesosCalls;
  readonly #identity: FrameworkIdentity;
  readonly #silence: HostSilence;
  readonly #reconciler: Reconciler;
  readonly #missing: MissingVms;
  readonly #orphans: OrphanList;
  /** Images on hosts: what is there, what should be, and who may copy. */
  readonly images: ImageDesk;
  readonly #statuses: StatusDesk;
  readonly #executors: ExecutorDesk;
  /** What machines use. */
  readonly use: VmUse;
  #isSubscribed = false;
  #sweepTimer: Timer | undefined;
  #reportedRevision = 0;

  constructor(options: VmSchedulerOptions) {
    this.#options = options;
    this.#state = options.state;
    this.#calls = new MesosCalls(options.framework, options.logger);
    this.#identity = new FrameworkIdentity({ calls: this.#calls, save: options.saveFrameworkId });
    this.#silence = new HostSilence(options.clock);
    this.use = new VmUse(options.state, options.clock);
    this.#placement = new PlacementDesk(options.state, options.clock);
    this.#wakes = new Wakes(options.clock);
    this.#launcher = new Launcher({
      state: options.state,
      desk: this.#placement,
      clock: options.clock,
      logger: options.logger,
      send: (call) => options.framework.call(call),
      template: () => this.#template(),
      wakes: this.#wakes,
      isUnsureOf: (agentId) => this.#reconciler.isUnsureOf(agentId),
      onUnknownOutcome: (records) => this.#reconciler.ask(records),
    });
    this.#reconciler = new Reconciler({
      state: options.state,
      clock: options.clock,
      send: (tasks) => this.#calls.reconcile(tasks),
    });
    this.#missing = new MissingVms({
      state: options.state,
      clock: options.clock,
      tell: (agentId, message) => this.#calls.tell(agentId, message),
    });
    this.#orphans = new OrphanList(options.state, this.#missing);
    this.#operations = new OperationDesk({
      state: options.state,
      clock: options.clock,
      tell: (agentId, message) => this.#calls.tell(agentId, message),
    });
    this.#peers = new PeersDesk({
      state: options.state,
      clock: options.clock,
      tell: (agentId, message) => this.#calls.tell(agentId, message),
    });
    const { state, clock, logger } = options;
    this.images = new ImageDesk({
      clock,
      pullsMax: options.pullsMax,
      tell: (agentId, message) => this.#calls.tell(agentId, message),
      wake: (agentId) => {
        if (this.#wakes.want(agentId)) this.#launcher.revive();
      },
      noteImages: (agentId, images) => {
        this.#wakes.isThere(agentId);
        this.#placement.noteImages(agentId, images);
      },
    });
    const drive = (records: readonly VmRecord[]): void => this.#drive(records);
    this.#statuses = new StatusDesk({
      ...{ state, clock, logger, drive },
      calls: this.#calls,
      reconciler: this.#reconciler,
      onAgentKnown: () => this.#launcher.trigger(),
      missing: this.#missing,
    });
    this.#executors = new ExecutorDesk({
      ...{ state, clock, logger, drive },
      silence: this.#silence,
      use: this.use,
      orphans: this.#orphans,
      operations: this.#operations,
      peers: this.#peers,
      tell: (agentId, message) => this.#calls.tell(agentId, message),
      kill: (record) => this.#kill(record),
      images: this.images,
    });
  }

  /** Loads what earlier runs knew and subscribes. */
  async start(): Promise<void> {
    const frameworkId = await this.#state.load();
    this.#identity.restore(frameworkId);
    this.#options.framework.start(frameworkId, {
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
    const { clock, secrets } = this.#options;
    const records = assignments.map((given) => {
      const assignment = { ...given, spec: sealedSpec(given.spec, given.vmId, secrets) };
      const known = this.#state.vm(assignment.vmId);
      return known === undefined
        ? this.#missing.found(newVmRecord(assignment, clock.nowMs()))
        : applyAssignment(known, assignment, clock.nowMs());
    });
    await this.#putAndDrive(records);
  }

  /** Takes wishes for VMs that are known; gives the ids of the others. */
  async setDesired(changes: readonly DesiredChange[]): Promise<readonly VmId[]> {
    const { clock, secrets } = this.#options;
    const nowMs = clock.nowMs();
    const records = changes.flatMap((change) => {
      const { vmId, spec } = change;
      const known = this.#state.vm(vmId);
      const sealed = spec && { spec: sealedSpec(spec, vmId, secrets) };
      return known === undefined ? [] : [applyDesired(known, { ...change, ...sealed }, nowMs)];
    });
    await this.#putAndDrive(records);
    return changes.map(({ vmId }) => vmId).filter((id) => this.#state.vm(id) === undefined);
  }

  /** Gives up VMs that are, and ever were, on no host; resolves when that is durable. */
  async withdraw(vms: readonly VmEpoch[]): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const records = vms.flatMap(({ vmId, assignmentEpoch }) => {
      const known = this.#state.vm(vmId);
      return known === undefined ? [] : [applyWithdrawal(known, assignmentEpoch, nowMs)];
    });
    await this.#putAndDrive(records);
  }

  /**
   * Takes an operator's word that a host will not come back. Of a host whose executor is heard that
   * is not true, and nothing is done.
   */
  async declareHostGone(hostName: string): Promise<void> {
    const { clock, logger } = this.#options;
    const records = [...this.#state.vms()].filter((record) =>
      isMissing(record)
        ? record.assignment.lastHost === hostName
        : record.boundAgentId !== null && record.hostName === hostName,
    );
    if (records.some(({ boundAgentId }) => this.#silence.isHeard(boundAgentId ?? ''))) {
      logger.warn({ hostName }, 'a host was declared gone whose executor is alive');
      return;
    }
    logger.warn({ hostName, vms: records.length }, 'a host was declared gone');
    await this.#putAndDrive(records.map((record) => applyHostGone(record, clock.nowMs())));
  }

  /** Takes one-shot actions; each is carried out once, whatever is repeated. */
  async operate(requests: readonly OperationRequest[]): Promise<void> {
    await this.#operations.request(requests);
  }

  /** All agents that are known, and how they stand with placement. */
  agents(): readonly AgentView[] {
    return this.#placement.views();
  }

  /** What hosts have that nobody speaks for, as told last. */
  get orphans(): Changes['orphans'] & {} {
    return this.#orphans.all();
  }

  /** The cluster-server has passed on everything up to this revision. */
  reportedUpTo(revision: number): void {
    this.#reportedRevision = Math.max(this.#reportedRevision, revision);
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
    const kills: VmRecord[] = [];
    const releases: VmRecord[] = [];
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
          this.#state.putVm(applyRemoval(record, this.#options.clock.nowMs()));
          break;
        case 'release':
          releases.push(record);
          break;
        // A task that ends without the wish to delete its VM leaves the VM as it is: the wish first.
        case 'kill':
        case 'tellDesired': {
          if (action.type === 'kill') kills.push(record);
          const agentId = record.task?.agentId ?? '';
          tellByAgent.set(agentId, [...(tellByAgent.get(agentId) ?? []), record]);
          break;
        }
      }
    }
    for (const [agentId, ofAgent] of tellByAgent) this.#tellDesired(agentId, ofAgent);
    for (const record of kills) this.#kill(record);
    for (const record of releases) this.#release(record);
    if (isLaunchNeeded) this.#launcher.revive();
  }

  #tellDesired(agentId: string, records: readonly VmRecord[]): void {
    this.#calls.tell(agentId, { type: 'setDesired', changes: records.map(toDesiredChange) });
  }

  #release(record: VmRecord): void {
    const taskId = currentTaskId(record);
    const agentId = record.task?.agentId ?? '';
    if (taskId !== undefined) this.#calls.tell(agentId, { type: 'release', taskIds: [taskId] });
  }

  #kill(record: VmRecord): void {
    const taskId = currentTaskId(record);
    if (taskId !== undefined) this.#calls.kill(taskId, record.task?.agentId);
  }

  #template() {
    const { role, executorCommand } = this.#options;
    const frameworkId = this.#identity.durableId;
    if (frameworkId === undefined || !this.#isSubscribed) return undefined;
    return { frameworkId, role, command: executorCommand };
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
        this.#background(this.#statuses.take(event.update.status));
        break;
      case 'MESSAGE':
        this.#background(this.#executors.take(event.message.agent_id.value, event.message.data));
        break;
      case 'ERROR':
        this.#options.logger.error(
          { message: event.error.message },
          'the master ends this framework',
        );
        break;
      default:
        break;
    }
  }

  #background(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.logger.error({ err: error }, 'event not handled'));
  }

  #onSubscribed(frameworkId: string): void {
    this.#identity.become(frameworkId);
    this.#isSubscribed = true;
    this.#launcher.reset();
    this.#reconciler.askAllAnew();
    for (const agentId of this.#state.agentIds()) this.#calls.tell(agentId, { type: 'report' });
    this.#background(this.#keepFrameworkId());
  }

  /** Goes on with launching when the framework's id is durable. */
  async #keepFrameworkId(): Promise<void> {
    await this.#identity.keep();
    this.#launcher.trigger();
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
    const silent = this.#silence.silentOf(this.#state.agentIds());
    for (const record of silentChanges(this.#state, silent, clock.nowMs())) {
      this.#state.putVm(record);
    }
    this.images.sweep();
    const overdue = overdueChanges(this.#state.vms(), clock.nowMs(), this.#reportedRevision);
    for (const record of overdue.changed) this.#state.putVm(record);
    this.#state.remove(overdue.forgotten);
    this.#state.remove(this.#operations.expired(this.#reportedRevision));
    for (const record of overdue.killed) this.#kill(record);
    await this.#state.commit();
    if (!this.#isSubscribed) return;
    this.#peers.tellChanged();
    if (!this.#identity.isDurable) this.#background(this.#keepFrameworkId());
    this.#reconciler.askAgain(overdue.unanswered);
    this.#reconciler.askAllIfDue();
    if (overdue.isMissing) this.#reconciler.askForMissing();
    if (overdue.isLaunchDue || this.#launcher.holdsOffers) this.#launcher.trigger();
  }
}
