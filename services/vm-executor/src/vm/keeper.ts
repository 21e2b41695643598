import {
  type OperationRequest,
  type OperationResult,
  VM_STATE_TABLE,
  type VmId,
} from '@factory/contracts';
import { type Backoff, createBackoff, type Logger, type Random } from '@factory/runtime';
import { type Bell, createBell } from '../bell.ts';
import { explainFailure } from '../failures.ts';
import { OperationQueue } from '../operations/queue.ts';
import { Carrier } from './carrier.ts';
import { decide, type Situation } from './decide.ts';
import { respondToFailure } from './failure-policy.ts';
import { Ledger } from './ledger.ts';
import { type MoveContext, Moves, type VmEnd } from './moves.ts';
import { requestReboot } from './reboot.ts';
import { type VmRecord, type Wish, withWish } from './record.ts';
import { Interrupted } from './run.ts';
import { giveUpChange } from './spec-change.ts';

/** What the keepers of all VMs work with. */
export interface KeeperContext extends MoveContext {
  readonly random: Random;
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
/** A look at the domain, or at the disk. */
const LOOK_TIMEOUT_MS = 30_000;

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
  readonly #moves: Moves;
  readonly #operations: OperationQueue;
  #isFirstLook = true;
  #isReleased = false;
  #isLetGo = false;
  #isClosed = false;
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
    const within = { ...context, logger: this.#logger };
    this.#moves = new Moves(within, this.#ledger, this.#carrier, this.#bell);
    const parts = { ...within, ledger: this.#ledger, carrier: this.#carrier };
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
  wish(wish: Wish): void {
    this.update((record) => withWish(record, wish));
  }

  /** Replaces the record by a change of it, such as a newer wish. */
  update(change: (record: VmRecord) => VmRecord): void {
    const before = this.#record;
    this.#ledger.replace(change(before));
    if (before.desired !== 'deleted' && this.#record.desired === 'deleted') {
      // Whatever is being done for it, it is not wanted any more.
      this.#carrier.interrupt('it is to be deleted');
    } else if (before.generation !== this.#record.generation) {
      this.#operations.overtake('Something else was wished of the machine meanwhile.');
    }
    this.#bell.ring();
  }

  /** Switches the guest off, keeps all of it, and ends; a wish to delete it goes before. */
  release(): void {
    this.#isReleased = true;
    if (this.#record.desired !== 'deleted') this.#carrier.interrupt('its task is to end');
    this.#bell.ring();
  }

  /** Ends as `release` does, if the guest is off; else nothing happens. */
  letGo(): void {
    this.#isLetGo = true;
    this.#bell.ring();
  }

  /** Takes a one-shot operation, once per id; the result appears in the record. */
  operate(request: OperationRequest): void {
    const known = this.#record.operations.find((each) => each.operationId === request.operationId);
    // Asked again: the result has not arrived.
    if (known !== undefined) this.#context.onResult(known);
    else if (request.kind === 'reboot') this.update((record) => requestReboot(record, request));
    else {
      if (request.kind === 'cancel') this.#operations.cancel(request);
      else this.#operations.take(request);
      this.#bell.ring();
    }
  }

  /** Ends the loop, and the move under way after its present step; the guest is left as it is. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#moves.watchNoMore();
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
      const isGoing = this.#record.desired === 'deleted';
      const isStaying = !isGoing && !this.#isReleased;
      const operatedMs = isGoing
        ? await this.#operations.abandon()
        : await (isStaying ? this.#operations.resume() : undefined);
      if (operatedMs !== undefined) return operatedMs;
      const decision = decide(await this.#lookAround());
      // To take a new spec in, or what became of one, is no look at what became of the guest.
      if (!['takeSpec', 'keepPlugged'].includes(decision.move)) this.#isFirstLook = false;
      if (decision.move === 'stay') this.#isLetGo = false;
      const after = await this.#moves.make(decision);
      this.#retry.reset();
      if ('end' in after) return this.#end(after.end);
      if (decision.move !== 'rest') return after.lookInMs;
      // What is to be let go does not rest before it is.
      if (!isStaying) return this.#isReleased ? 0 : after.lookInMs;
      // Only a machine for which there is nothing else to do.
      return (await this.#operations.next()) ?? after.lookInMs;
    } catch (error) {
      return this.#handleFailure(error);
    }
  }

  #end(end: VmEnd): undefined {
    this.#isClosed = true;
    this.#context.onEnd(this.#record, end);
  }

  async #lookAround(): Promise<Situation> {
    const { hypervisor, storage } = this.#context;
    // What is to be removed is removed, whatever there is.
    const isGoing = this.#record.desired === 'deleted' || this.#record.makingFailure !== null;
    const asked = { isReleased: this.#isReleased, isLetGo: this.#isLetGo };
    const seen = { isFirstLook: this.#isFirstLook, ...asked };
    if (isGoing) return { record: this.#record, domain: undefined, hasDisk: true, ...seen };
    const domain = await this.#carrier.within(
      () => 'libvirt to tell of its domain',
      LOOK_TIMEOUT_MS,
      (signal) => hypervisor.findDomain(this.vmId, signal),
      'HYPERVISOR_UNAVAILABLE',
    );
    const needsDisk = this.#record.isMade && domain?.power.kind !== 'on';
    const hasDisk = await this.#carrier.within(
      () => 'a look at its disk',
      LOOK_TIMEOUT_MS,
      async (signal) => (needsDisk ? storage.hasDisk(this.vmId, signal) : true),
      'STORAGE_UNAVAILABLE',
    );
    return { record: this.#record, domain, hasDisk, ...seen };
  }

  /** Work that was given up has not settled: nothing is begun beside it. Gives when to look again. */
  #waitForWhatHangs(): number | undefined {
    if (this.#record.desired === 'deleted') this.#moves.beginRemoval();
    if (!this.#ledger.isOverdue) return RETRY_MAX_MS;
    const why = this.#record.makingFailure ?? explainFailure(this.#carrier.deadlineFailure());
    if (this.#record.state !== 'failed') this.#ledger.observe({ state: 'failed', ...why });
    return undefined;
  }

  #handleFailure(error: unknown): number | undefined {
    if (error instanceof Interrupted) return 0;
    const retryInMs = Math.round(this.#retry.nextMs());
    this.#logger.warn({ err: error, state: this.#record.state, retryInMs }, 'a move failed');
    const response = respondToFailure(this.#record, error, this.#ledger.isOverdue);
    switch (response.kind) {
      case 'retry':
        // Whoever waits for it learns what it waits for.
        if (isWaitedFor(this.#record)) {
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
        if (!response.isWishOpen) this.#ledger.replace(giveUpChange(this.#record));
        this.#ledger.observe({ state: 'failed', ...response.why, ...applied });
        return retryInMs;
      }
    }
  }
}

/** Whether somebody works on it, or has wished what nobody has come to yet. */
function isWaitedFor({ state, generation, appliedGeneration }: VmRecord): boolean {
  return VM_STATE_TABLE[state].kind === 'transitional' || appliedGeneration < generation;
}
