import {
  type DesiredState,
  isTransitionAllowed,
  type OperationRequest,
  type OperationResult,
  stateDeadlineMs,
  type VmId,
} from '@factory/contracts';
import {
  type Backoff,
  type Clock,
  createBackoff,
  type Limiter,
  type Logger,
  type Random,
  withDeadline,
} from '@factory/runtime';
import { type Bell, createBell } from '../bell.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { VmStorage } from '../storage/port.ts';
import { type Decision, decide, type Situation } from './decide.ts';
import { respondToFailure } from './failure-policy.ts';
import { type Change, observe } from './observe.ts';
import { type PowerOffLimits, powerOffGuest } from './power-off.ts';
import { watchReadiness } from './readiness.ts';
import { endReboot, requestReboot } from './reboot.ts';
import { leaseOf, type VmRecord, withWish } from './record.ts';
import {
  makingSteps,
  powerOnSteps,
  runSteps,
  type SagaContext,
  type SagaStep,
  undoAll,
} from './saga.ts';

/** What the keepers of all VMs work with. */
export interface KeeperContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly hypervisor: Hypervisor;
  readonly storage: VmStorage;
  /** Bounds how many VMs are made at a time, and how many guests are powered on. */
  readonly limitMaking: Limiter;
  readonly limitPowerOn: Limiter;
  readonly powerOff: PowerOffLimits;
  /** Something that the scheduler should hear of has changed. */
  readonly onChange: (record: VmRecord) => void;
  /** A one-shot operation has ended. */
  readonly onResult: (result: OperationResult) => void;
  /** Nothing is left of the VM on this host; the record is its last. */
  readonly onEnd: (record: VmRecord) => void;
}

/** Pauses between attempts that may work by themselves later. */
const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 10_000;
/** One attempt at removing a VM. */
const REMOVAL_ATTEMPT_MS = 60_000;

/**
 * The keeper of one VM: a loop that compares what is wished with what is, makes the next move, and
 * sleeps until something happens. It makes one move at a time, and VMs never wait for each other
 * but for the bounded places in the context.
 */
export class VmKeeper {
  readonly vmId: VmId;
  readonly #context: KeeperContext;
  readonly #logger: Logger;
  readonly #bell: Bell;
  readonly #retry: Backoff;
  readonly #sagaContext: SagaContext;
  #record: VmRecord;
  #saved: VmRecord | undefined;
  #isFirstLook = true;
  #hasJoined = false;
  #isClosed = false;
  // Monotonic, and this executor's own: a deadline that passed while none ran is no failure.
  #stateSinceMs: number;
  #unmakingSinceMs: number | undefined;
  #stopWatching: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(record: VmRecord, context: KeeperContext) {
    this.vmId = record.vmId;
    this.#record = record;
    this.#context = context;
    this.#logger = context.logger.child({ vmId: record.vmId });
    this.#bell = createBell(context.clock);
    const { random } = context;
    this.#retry = createBackoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
    this.#stateSinceMs = context.clock.monotonicMs();
    this.#sagaContext = {
      storage: context.storage,
      hypervisor: context.hypervisor,
      limitPowerOn: context.limitPowerOn,
      record: () => this.#record,
      observe: (change) => this.#apply(change),
    };
  }

  /** The VM as it stands. */
  get record(): VmRecord {
    return this.#record;
  }

  /** Starts the loop. */
  start(): void {
    this.#context.onChange(this.#record);
    this.#loop ??= this.#run();
  }

  /** Something may have happened to the domain: looks again. */
  look(): void {
    this.#bell.ring();
  }

  /** Takes a wish, unless it is older than the present one. */
  wish(generation: number, desired: DesiredState): void {
    this.update((record) => withWish(record, generation, desired));
  }

  /** Replaces the record by a change of it, such as a newer wish. */
  update(change: (record: VmRecord) => VmRecord): void {
    this.#replace(change(this.#record));
    this.#bell.ring();
  }

  /** Restarts the guest, once per operation id; the result appears in the record. */
  reboot(request: OperationRequest): void {
    const known = this.#record.operations.find((each) => each.operationId === request.operationId);
    // Asked again: the result has not arrived.
    if (known !== undefined) this.#context.onResult(known);
    else this.update((record) => requestReboot(record, request));
  }

  /** Ends the loop after the move under way; the guest is left as it is. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watchNoMore();
    this.#bell.ring();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const pauseMs = await this.#turn();
      if (!this.#isClosed) await this.#bell.wait(pauseMs);
    }
  }

  /** One move; gives when to look again: 0 at once, undefined when something happens. */
  async #turn(): Promise<number | undefined> {
    try {
      const decision = decide(await this.#lookAround());
      this.#isFirstLook = false;
      const again = await this.#carryOut(decision);
      this.#retry.reset();
      return again ? 0 : undefined;
    } catch (error) {
      return this.#handleFailure(error);
    }
  }

  async #lookAround(): Promise<Situation> {
    const { hypervisor, storage } = this.#context;
    // What is to be removed is removed, whatever there is.
    const isGoing = this.#record.desired === 'deleted' || this.#record.makingFailure !== null;
    const domain = isGoing ? undefined : await hypervisor.findDomain(this.vmId);
    const needsDisk = this.#record.isMade && domain?.power.kind !== 'on';
    const hasDisk = needsDisk ? await storage.hasDisk(this.vmId) : true;
    return { record: this.#record, domain, hasDisk, isFirstLook: this.#isFirstLook };
  }

  /** Makes the move; gives whether to look again at once. */
  async #carryOut(decision: Decision): Promise<boolean> {
    switch (decision.move) {
      case 'rest':
        await this.#rest(decision.change);
        return false;
      case 'make':
        await this.#make(decision.powerOn);
        return false;
      case 'unmake':
        await this.#unmake(decision.end);
        return false;
      case 'powerOn':
        await this.#powerOn();
        return false;
      case 'powerOff':
        await this.#powerOff();
        return true;
      case 'abandonReboot': {
        const why = `The machine is to be ${this.#record.desired} instead.`;
        this.#replace(endReboot(this.#record, why));
        return true;
      }
      case 'finishReboot':
        this.#replace(endReboot(this.#record, undefined));
        await this.#rest({ state: 'running', appliedGeneration: this.#record.generation });
        return false;
    }
  }

  async #rest(change: Change): Promise<void> {
    if (change.isMade === true && !this.#record.isMade) await this.#holdPrecious();
    this.#apply(change);
    if (this.#record.state === 'failed') {
      this.#replace(endReboot(this.#record, this.#record.message ?? 'The machine failed.'));
    }
    if (this.#record.state !== 'running') this.#watchNoMore();
    // The first making can be told from what is there; a wish or a result that was carried out not.
    const { appliedGeneration, operations } = this.#record;
    await this.#save(appliedGeneration > 1 || operations.length > 0);
    if (this.#record.state === 'running') {
      await this.#watchReadiness();
      await this.#keepLease();
    }
  }

  /**
   * From now on nothing may remove the disk but its user's wish. On the disk before anybody hears of
   * it: after a power failure, a record that says "not made" would let a failed making remove it.
   */
  async #holdPrecious(): Promise<void> {
    this.#replace({ ...this.#record, isMade: true });
    await this.#save(true);
  }

  /** An adopted guest has its lease already; but its network may have to be made again one day. */
  async #keepLease(): Promise<void> {
    if (this.#hasJoined) return;
    try {
      await this.#context.hypervisor.joinNetwork(leaseOf(this.#record));
      this.#hasJoined = true;
    } catch (error) {
      this.#logger.warn({ err: error }, 'the lease of a running guest may be missing');
    }
  }

  async #make(powerOn: boolean): Promise<void> {
    const { generation } = this.#record;
    this.#apply({ state: 'preparing' });
    await this.#context.limitMaking(() => this.#take(makingSteps(powerOn)));
    const state = powerOn ? 'running' : 'stopped';
    const reason = powerOn ? null : 'STOPPED_BY_USER';
    await this.#rest({ state, reason, isMade: true, appliedGeneration: generation });
  }

  async #unmake(end: 'deleted' | 'failed'): Promise<void> {
    this.#watchNoMore();
    this.#unmakingSinceMs ??= this.#context.clock.monotonicMs();
    if (end === 'deleted' && !this.#isOverdue()) this.#apply({ state: 'deleting' });
    await this.#within(REMOVAL_ATTEMPT_MS, () => undoAll(this.#sagaContext));
    this.#isClosed = true;
    const why = end === 'failed' ? (this.#record.makingFailure ?? {}) : {};
    this.#apply({ state: end, ...why, appliedGeneration: this.#record.generation });
    this.#context.onEnd(this.#record);
  }

  async #powerOn(): Promise<void> {
    const { generation, reboot } = this.#record;
    const consoleStartByte = await this.#context.storage.consoleSize(this.vmId);
    this.#replace({
      ...this.#record,
      consoleStartByte,
      reboot: reboot === null ? null : { ...reboot, phase: 'on' },
    });
    if (reboot === null) this.#apply({ state: 'starting' });
    await this.#save(true);
    await this.#take(powerOnSteps());
    this.#replace(endReboot(this.#record, undefined));
    await this.#rest({ state: 'running', appliedGeneration: generation });
  }

  async #powerOff(): Promise<void> {
    this.#watchNoMore();
    const state = this.#record.reboot === null ? 'stopping' : 'rebooting';
    // It was reported off; but somebody has powered it on since.
    if (!isTransitionAllowed(this.#record.state, state)) this.#apply({ state: 'running' });
    this.#apply({ state });
    await this.#save(true);
    const { clock, hypervisor, powerOff: limits } = this.#context;
    const record = () => this.#record;
    await this.#within(this.#remainingMs(), () =>
      powerOffGuest({ clock, hypervisor, bell: this.#bell, record, limits }),
    );
  }

  async #take(steps: readonly SagaStep[]): Promise<void> {
    await this.#within(this.#remainingMs(), () => runSteps(steps, this.#sagaContext));
    this.#hasJoined = true;
  }

  #within<T>(timeoutMs: number, work: () => Promise<T>): Promise<T> {
    return withDeadline(
      this.#context.clock,
      `${this.#record.state} of ${this.vmId}`,
      timeoutMs,
      work,
    );
  }

  #handleFailure(error: unknown): number | undefined {
    const retryInMs = Math.round(this.#retry.nextMs());
    this.#logger.warn({ err: error, state: this.#record.state, retryInMs }, 'a move failed');
    const response = respondToFailure(this.#record, error, this.#isOverdue());
    switch (response.kind) {
      case 'retry':
        return retryInMs;
      case 'abandonMaking':
        this.#replace({ ...this.#record, makingFailure: response.why });
        return 0;
      case 'fail': {
        const { generation } = this.#record;
        this.#apply({ state: 'failed', ...response.why, appliedGeneration: generation });
        return retryInMs;
      }
    }
  }

  /** What is left of the time that the table of states gives the present state. */
  #remainingMs(): number {
    const limitMs = stateDeadlineMs(this.#record.state, 0) ?? RETRY_MAX_MS;
    return Math.max(1, this.#stateSinceMs + limitMs - this.#context.clock.monotonicMs());
  }

  #isOverdue(): boolean {
    const state = this.#unmakingSinceMs === undefined ? this.#record.state : 'deleting';
    const sinceMs = this.#unmakingSinceMs ?? this.#stateSinceMs;
    const deadlineMs = stateDeadlineMs(state, sinceMs) ?? Number.POSITIVE_INFINITY;
    return this.#context.clock.monotonicMs() >= deadlineMs;
  }

  async #watchReadiness(): Promise<void> {
    if (this.#record.guestReady || this.#stopWatching !== undefined) return;
    const { storage } = this.#context;
    const image = await storage.findImage(this.#record.spec.image.name).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'nobody will know when the guest is ready');
      return undefined;
    });
    if (image?.readyMarker === undefined) return;
    this.#stopWatching = watchReadiness({
      storage,
      record: this.#record,
      marker: image.readyMarker,
      logger: this.#logger,
      onReady: () => {
        this.#apply({ guestReady: true, stage: 'ready' });
        this.#bell.ring();
      },
    });
  }

  #watchNoMore(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }

  #apply(change: Change): void {
    this.#replace(observe(this.#record, change, this.#context.clock.nowMs()));
  }

  #replace(next: VmRecord): void {
    const before = this.#record;
    this.#record = next;
    if (next.state !== before.state) this.#stateSinceMs = this.#context.clock.monotonicMs();
    if (isWorthTelling(before, next)) this.#context.onChange(next);
    for (const result of next.operations) {
      if (!before.operations.includes(result)) this.#context.onResult(result);
    }
  }

  async #save(durable: boolean): Promise<void> {
    const record = this.#record;
    if (this.#saved === record) return;
    await this.#context.storage.writeRecord(record, { durable });
    this.#saved = record;
  }
}

/** Whether the scheduler should hear of it at once; stages ride along with the next such change. */
function isWorthTelling(before: VmRecord, after: VmRecord): boolean {
  return (
    before.state !== after.state ||
    before.reason !== after.reason ||
    before.message !== after.message ||
    before.guestReady !== after.guestReady ||
    before.appliedGeneration !== after.appliedGeneration
  );
}
