import {
  type DesiredState,
  isTransitionAllowed,
  type OperationRequest,
  type OperationResult,
  VM_STATE_TABLE,
  type VmId,
} from '@factory/contracts';
import {
  type Backoff,
  createBackoff,
  type Limiter,
  type Logger,
  type Random,
} from '@factory/runtime';
import { type Bell, createBell } from '../bell.ts';
import { explainFailure } from '../failures.ts';
import { OperationQueue } from '../operations/queue.ts';
import { Carrier, type CarrierContext } from './carrier.ts';
import { type Decision, decide, type Situation } from './decide.ts';
import { respondToFailure } from './failure-policy.ts';
import { Ledger } from './ledger.ts';
import type { Change } from './observe.ts';
import { CREATE, CREATE_OFF, DELETE, POWER_OFF, POWER_ON } from './procedures.ts';
import { watchReadiness } from './readiness.ts';
import { endReboot, requestReboot } from './reboot.ts';
import { leaseOf, type VmRecord, withWish } from './record.ts';
import { Interrupted } from './run.ts';

/** `gone`: nothing is left of it on this host. `released`: it is off, and all of it is kept. */
export type VmEnd = 'gone' | 'released';

/** What the keepers of all VMs work with. */
export interface KeeperContext extends CarrierContext {
  readonly random: Random;
  readonly logger: Logger;
  /** Bounds how many VMs are made at a time. */
  readonly limitMaking: Limiter;
  /** Something that the scheduler should hear of has changed. */
  readonly onChange: (record: VmRecord) => void;
  /** A one-shot operation has ended. */
  readonly onResult: (result: OperationResult) => void;
  /** The keeper is done with the VM; the record is its last. */
  readonly onEnd: (record: VmRecord, end: VmEnd) => void;
}

/** Pauses between attempts that may work by themselves later. */
const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 10_000;
/** One attempt at removing a VM. */
const REMOVAL_ATTEMPT_MS = 60_000;
/** A look at domain and disk; writing down how things stand. */
const LOOK_TIMEOUT_MS = 30_000;
const REST_TIMEOUT_MS = 30_000;

/**
 * The keeper of one VM: a loop that compares what is wished with what is, makes the next move, and
 * sleeps until something happens. It makes one move at a time: what hangs past its deadline is told
 * of, and nothing else is begun before it has settled. VMs never wait for each other but for the
 * bounded places in the context.
 */
export class VmKeeper {
  readonly vmId: VmId;
  readonly #context: KeeperContext;
  readonly #logger: Logger;
  readonly #bell: Bell;
  readonly #retry: Backoff;
  readonly #carrier: Carrier;
  readonly #ledger: Ledger;
  readonly #operations: OperationQueue;
  #isFirstLook = true;
  #isReleased = false;
  #resumedAtMs = Number.NEGATIVE_INFINITY;
  #hasJoined = false;
  #isClosed = false;
  #stopWatching: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(record: VmRecord, context: KeeperContext) {
    this.vmId = record.vmId;
    this.#ledger = new Ledger(record, context);
    this.#context = context;
    this.#logger = context.logger.child({ vmId: record.vmId });
    this.#bell = createBell(context.clock);
    const { random } = context;
    this.#retry = createBackoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
    this.#carrier = new Carrier(context, this.#ledger, this.#bell);
    const { clock } = context;
    const logger = this.#logger;
    const parts = { clock, logger, ledger: this.#ledger, carrier: this.#carrier };
    this.#operations = new OperationQueue(parts);
  }

  /** The VM as it stands. */
  get record(): VmRecord {
    return this.#ledger.record;
  }

  get #record(): VmRecord {
    return this.#ledger.record;
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
    const before = this.#record;
    this.#ledger.replace(change(before));
    if (before.desired !== 'deleted' && this.#record.desired === 'deleted') {
      // Whatever is being done for it, it is not wanted any more.
      this.#carrier.interrupt('it is to be deleted');
    }
    this.#bell.ring();
  }

  /** Switches the guest off, keeps all of it, and ends; a wish to delete it goes before. */
  release(): void {
    this.#isReleased = true;
    if (this.#record.desired !== 'deleted') this.#carrier.interrupt('its task is to end');
    this.#bell.ring();
  }

  /** Takes a one-shot operation, once per id; the result appears in the record. */
  operate(request: OperationRequest): void {
    const known = this.#record.operations.find((each) => each.operationId === request.operationId);
    // Asked again: the result has not arrived.
    if (known !== undefined) this.#context.onResult(known);
    else if (request.kind === 'reboot') this.update((record) => requestReboot(record, request));
    else {
      this.#operations.take(request);
      this.#bell.ring();
    }
  }

  /** Ends the loop, and the move under way after its present step; the guest is left as it is. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watchNoMore();
    this.#carrier.interrupt('the executor ends');
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
    if (this.#carrier.isBusy) return this.#waitForWhatHangs();
    try {
      const isStaying = this.#record.desired !== 'deleted' && !this.#isReleased;
      const resumedMs = isStaying ? await this.#operations.resume() : undefined;
      if (resumedMs !== undefined) return resumedMs;
      const decision = decide(await this.#lookAround());
      this.#isFirstLook = false;
      const pauseMs = await this.#carryOut(decision);
      this.#retry.reset();
      if (decision.move !== 'rest' || !isStaying) return pauseMs;
      // Only a machine for which there is nothing else to do.
      return (await this.#operations.next()) ?? pauseMs;
    } catch (error) {
      return this.#handleFailure(error);
    }
  }

  async #lookAround(): Promise<Situation> {
    const { hypervisor, storage } = this.#context;
    // What is to be removed is removed, whatever there is.
    const isGoing = this.#record.desired === 'deleted' || this.#record.makingFailure !== null;
    const seen = { isFirstLook: this.#isFirstLook, isReleased: this.#isReleased };
    if (isGoing) return { record: this.#record, domain: undefined, hasDisk: true, ...seen };
    const { domain, hasDisk } = await this.#carrier.within(
      () => 'a look at its domain and disk',
      LOOK_TIMEOUT_MS,
      async (signal) => {
        const found = await hypervisor.findDomain(this.vmId, signal);
        const needsDisk = this.#record.isMade && found?.power.kind !== 'on';
        const isThere = needsDisk ? await storage.hasDisk(this.vmId, signal) : true;
        return { domain: found, hasDisk: isThere };
      },
    );
    return { record: this.#record, domain, hasDisk, ...seen };
  }

  /** Makes the move; gives when to look again, as #turn does. */
  async #carryOut(decision: Decision): Promise<number | undefined> {
    switch (decision.move) {
      case 'rest':
        await this.#rest(decision.change);
        // What is to be let go does not rest before it is.
        return this.#isReleased ? 0 : undefined;
      case 'make':
        await this.#make(decision.powerOn);
        return undefined;
      case 'unmake':
        await this.#unmake(decision.end);
        return undefined;
      case 'release':
        await this.#letGo(decision.change);
        return undefined;
      case 'powerOn':
        await this.#powerOn();
        return undefined;
      case 'resume':
        return this.#resume(decision.detail);
      case 'powerOff':
        await this.#powerOff();
        return 0;
      case 'abandonReboot': {
        const { desired } = this.#record;
        const why = `The machine is to be ${desired === 'running' ? 'off' : desired} instead.`;
        this.#ledger.replace(endReboot(this.#record, why));
        return 0;
      }
      case 'finishReboot':
        this.#ledger.replace(endReboot(this.#record, undefined));
        await this.#rest({ state: 'running', appliedGeneration: this.#record.generation });
        return undefined;
    }
  }

  async #rest(change: Change): Promise<void> {
    // What makes the disk precious is on the disk itself before anybody hears of it.
    const becomesMade = change.isMade === true && !this.#record.isMade;
    if (becomesMade) {
      this.#ledger.replace({ ...this.#record, isMade: true });
      await this.#carrier.within(
        () => 'its record to be written',
        REST_TIMEOUT_MS,
        () => this.#ledger.save(true),
      );
    }
    this.#ledger.observe(change);
    if (this.#record.state === 'failed') {
      this.#ledger.replace(endReboot(this.#record, this.#record.message ?? 'The machine failed.'));
    }
    if (this.#record.state !== 'running') this.#watchNoMore();
    // The first making can be told from what is there; a wish or a result that was carried out not.
    const { appliedGeneration, operations } = this.#record;
    const isDurable = appliedGeneration > 1 || operations.length > 0;
    await this.#carrier.within(
      () => 'its record to be written',
      REST_TIMEOUT_MS,
      async (signal) => {
        await this.#ledger.save(isDurable, signal);
        if (this.#record.state !== 'running') return;
        this.#watchReadiness();
        await this.#keepLease(signal);
      },
    );
  }

  /** An adopted guest has its lease already; but its network may have to be made again one day. */
  async #keepLease(signal: AbortSignal): Promise<void> {
    if (this.#hasJoined) return;
    try {
      await this.#context.hypervisor.joinNetwork(leaseOf(this.#record), signal);
      this.#hasJoined = true;
    } catch (error) {
      this.#logger.warn({ err: error }, 'the lease of a running guest may be missing');
    }
  }

  async #make(powerOn: boolean): Promise<void> {
    const { generation } = this.#record;
    this.#ledger.observe({ state: 'preparing' });
    const { limitMaking } = this.#context;
    await this.#carrier.carry(powerOn ? CREATE : CREATE_OFF, this.#ledger.remainingMs, limitMaking);
    this.#hasJoined = true;
    const state = powerOn ? 'running' : 'stopped';
    const reason = powerOn ? null : 'STOPPED_BY_USER';
    await this.#rest({ state, reason, appliedGeneration: generation });
  }

  async #unmake(end: 'deleted' | 'failed'): Promise<void> {
    this.#watchNoMore();
    this.#beginRemoval();
    await this.#carrier.carry(DELETE, REMOVAL_ATTEMPT_MS);
    this.#isClosed = true;
    const why = end === 'failed' ? (this.#record.makingFailure ?? {}) : {};
    this.#ledger.observe({ state: end, ...why, appliedGeneration: this.#record.generation });
    this.#context.onEnd(this.#record, 'gone');
  }

  async #letGo(change: Change): Promise<void> {
    this.#watchNoMore();
    this.#ledger.observe(change);
    await this.#carrier.within(
      () => 'its record to be written',
      REST_TIMEOUT_MS,
      (signal) => this.#ledger.save(true, signal),
    );
    this.#isClosed = true;
    this.#context.onEnd(this.#record, 'released');
  }

  async #powerOn(): Promise<void> {
    const { generation, reboot } = this.#record;
    if (reboot === null) this.#ledger.observe({ state: 'starting' });
    await this.#carrier.carry(POWER_ON, this.#ledger.remainingMs);
    this.#hasJoined = true;
    this.#ledger.replace(endReboot(this.#record, undefined));
    await this.#rest({ state: 'running', appliedGeneration: generation });
  }

  async #powerOff(): Promise<void> {
    this.#watchNoMore();
    const state = this.#record.reboot === null ? 'stopping' : 'rebooting';
    // It was reported off; but somebody has powered it on since.
    if (!isTransitionAllowed(this.#record.state, state)) this.#ledger.observe({ state: 'running' });
    this.#ledger.observe({ state });
    await this.#carrier.carry(POWER_OFF, this.#ledger.remainingMs);
  }

  /** Tries, now and then, whether its disk takes what it writes again. */
  async #resume(detail: string): Promise<number> {
    const { clock, hypervisor } = this.#context;
    const message = `Its disk gave an error, and it stands still until that passes (${detail}).`;
    this.#ledger.observe({ state: 'failed', reason: 'IO_ERROR', message });
    const sinceMs = clock.monotonicMs() - this.#resumedAtMs;
    if (sinceMs < RETRY_MAX_MS) return RETRY_MAX_MS - sinceMs;
    this.#resumedAtMs = clock.monotonicMs();
    await this.#carrier.within(
      () => 'the hypervisor to let it go on',
      LOOK_TIMEOUT_MS,
      (signal) => hypervisor.resume(this.vmId, signal),
    );
    return RETRY_MAX_MS;
  }

  /** Work that was given up has not settled: nothing is begun beside it. Gives when to look again. */
  #waitForWhatHangs(): number | undefined {
    if (this.#record.desired === 'deleted') this.#beginRemoval();
    if (!this.#ledger.isOverdue) return RETRY_MAX_MS;
    const why = this.#record.makingFailure ?? explainFailure(this.#carrier.deadlineFailure());
    if (this.#record.state !== 'failed') this.#ledger.observe({ state: 'failed', ...why });
    return undefined;
  }

  /** Says that it is being removed; past the deadline it stays said what is in the way. */
  #beginRemoval(): void {
    this.#ledger.beginRemoval();
    const isWished = this.#record.desired === 'deleted';
    if (isWished && !this.#ledger.isOverdue) this.#ledger.observe({ state: 'deleting' });
  }

  #handleFailure(error: unknown): number | undefined {
    if (error instanceof Interrupted) return 0;
    const retryInMs = Math.round(this.#retry.nextMs());
    this.#logger.warn({ err: error, state: this.#record.state, retryInMs }, 'a move failed');
    const response = respondToFailure(this.#record, error, this.#ledger.isOverdue);
    switch (response.kind) {
      case 'retry':
        // Whoever waits for it learns what it waits for.
        if (VM_STATE_TABLE[this.#record.state].kind === 'transitional') {
          this.#ledger.observe(explainFailure(error));
        }
        return retryInMs;
      case 'abandonMaking':
        this.#ledger.replace({ ...this.#record, makingFailure: response.why });
        if (this.#ledger.isOverdue) this.#ledger.observe({ state: 'failed', ...response.why });
        return 0;
      case 'fail': {
        const { generation } = this.#record;
        const applied = response.isWishOpen ? {} : { appliedGeneration: generation };
        this.#ledger.observe({ state: 'failed', ...response.why, ...applied });
        return retryInMs;
      }
    }
  }

  /** In the background: an image that can't be looked up shall hold up nothing else. */
  #watchReadiness(): void {
    const { record } = this.#ledger;
    if (record.guestReady || this.#stopWatching !== undefined) return;
    const { storage } = this.#context;
    this.#stopWatching = watchReadiness({
      storage,
      record,
      logger: this.#logger,
      onReady: () => {
        this.#watchNoMore();
        this.#ledger.observe({ guestReady: true, stage: 'ready' });
        this.#bell.ring();
      },
    });
  }

  #watchNoMore(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
  }
}
