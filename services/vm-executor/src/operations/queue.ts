import type { OperationId, OperationRequest, OperationResult } from '@factory/contracts';
import type { Clock, Logger } from '@factory/runtime';
import { type Explanation, explainFailure, isTransientFailure, VmFailure } from '../failures.ts';
import type { Carrier } from '../vm/carrier.ts';
import type { Ledger } from '../vm/ledger.ts';
import type { OperationUnderWay } from '../vm/record.ts';
import { Interrupted } from '../vm/run.ts';
import { cancel, canEnd } from './cancel.ts';
import {
  type Answer,
  type CallContext,
  type Calling,
  type Handling,
  handlingOf,
  type Stepwise,
} from './handling.ts';
import { timeLeftMs, withResult } from './outcome.ts';
import { amended, type RequestOf } from './under-way.ts';

/** Before what may pass by itself is tried again. */
const RETRY_MS = 2_000;
/** A guest's agent that does not answer is asked again for so long. */
const AGENT_COMES_MS = 30_000;
/** One attempt at taking back what a failed operation made, and all of them. */
const UNDO_ATTEMPT_MS = 30_000;
const UNDO_MS = 120_000;

interface QueueParts extends CallContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ledger: Ledger;
  readonly carrier: Carrier;
}

type Failure = NonNullable<OperationUnderWay['failure']>;

/**
 * The one-shot operations of one VM, one at a time, in turn with its keeper's moves: those that wait,
 * and the one under way, which the record names so that the next executor ends what this one began.
 */
export class OperationQueue {
  readonly #parts: QueueParts;
  readonly #waiting = new Map<OperationId, OperationRequest>();
  readonly #cancels = new Map<OperationId, RequestOf<'cancel'>>();
  /** The operation that was under way when this executor took the VM over. */
  readonly #inherited: OperationId | undefined;
  #overtakenBy: string | undefined;
  #undoneBeforeMs: number | undefined;
  /** Since when the guest's agent is missing for this operation. */
  #missed: { readonly operationId: OperationId; readonly sinceMs: number } | undefined;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#inherited = parts.ledger.record.operation?.request.operationId;
  }

  /** Takes a request whose result is not known yet; one that is repeated changes nothing. */
  take(request: OperationRequest): void {
    if (this.#underWay?.request.operationId === request.operationId) return;
    this.#waiting.set(request.operationId, request);
  }

  /** Another operation of this VM is to end; what is under way ends after its present step. */
  cancel(request: RequestOf<'cancel'>): void {
    this.#cancels.set(request.operationId, request);
    const isUnderWay = canEnd(this.#parts.ledger.record, request.params.operationId);
    if (isUnderWay) this.#parts.carrier.interrupt('it was cancelled');
  }

  /** A newer wish has come: what gives way to it ends. `why` is for who asked for that. */
  overtake(why: string): void {
    const { carrier } = this.#parts;
    if (this.#underWay === null) return;
    const handling = handlingOf(this.#underWay.request);
    if (handling.how !== 'procedure' || handling.givesWay !== true) return;
    this.#overtakenBy = why;
    carrier.interrupt(why);
  }

  /** Goes on with what is under way. Gives when to look again; undefined: nothing was. */
  async resume(): Promise<number | undefined> {
    for (const request of this.#cancels.values()) {
      const againInMs = await this.#cancel(request);
      if (againInMs !== undefined) return againInMs;
    }
    if (this.#underWay === null) return undefined;
    const { request, failure } = this.#underWay;
    const handling = handlingOf(request);
    // What takes long waits until the machine itself is as it should be.
    const givesWay = handling.how === 'procedure' && handling.givesWay === true;
    return givesWay && failure === null ? undefined : this.#goOn(request, handling, failure);
  }

  /** Answered only when it is on the disk: no executor after this one goes on with it. */
  async #cancel(request: RequestOf<'cancel'>): Promise<number | undefined> {
    const { ledger, carrier, clock, logger } = this.#parts;
    const { record, answer } = cancel(ledger.record, request);
    this.#waiting.delete(request.params.operationId);
    ledger.replace(record);
    try {
      const save = (signal: AbortSignal) => ledger.save(true, signal);
      await carrier.within(
        () => 'its record to be written',
        timeLeftMs(request, clock.nowMs()),
        save,
      );
    } catch (error) {
      if (error instanceof Interrupted) return 0;
      logger.warn({ err: error }, 'what is cancelled is not written down yet');
      return RETRY_MS;
    }
    this.#cancels.delete(request.operationId);
    this.#finish(request, answer);
    return undefined;
  }

  async #goOn(
    request: OperationRequest,
    handling: Handling,
    failure: Failure | null,
  ): Promise<number> {
    if (handling.how !== 'procedure') {
      this.#finish(request, { outcome: 'failed', message: 'It is not known here.' });
      return 0;
    }
    if (failure !== null) return this.#undo(request, handling, failure);
    const wasCut = this.#inherited === request.operationId;
    if (wasCut && handling.afterCut === 'unknown') {
      const message = `The host's executor ended in the midst of it: whether the machine was ${request.kind} is not known. Look at it, and ask again if it was not.`;
      this.#finish(request, { outcome: 'failed', message });
      return 0;
    }
    return this.#carry(request, handling);
  }

  /** Begins what has waited longest. Gives when to look again; undefined: nothing waits. */
  async next(): Promise<number | undefined> {
    if (this.#underWay !== null) {
      const { request, failure } = this.#underWay;
      return this.#goOn(request, handlingOf(request), failure);
    }
    const [request] = this.#waiting.values();
    if (request === undefined) return undefined;
    const { ledger } = this.#parts;
    this.#waiting.delete(request.operationId);
    const handling = handlingOf(request);
    if (handling.how !== 'procedure' && handling.how !== 'call') return 0;
    const refusal = this.#isLate(request)
      ? 'Its time was over before it could be begun.'
      : handling.whyNot(ledger.record);
    if (refusal !== undefined) {
      this.#finish(request, { outcome: 'failed', message: refusal });
      return 0;
    }
    if (handling.how === 'call') return this.#call(request, handling);
    const wasOn = ledger.record.state === 'running';
    const operation = { request, wasOn, failure: null, isQuiesced: false };
    ledger.replace({ ...ledger.record, operation });
    return this.#carry(request, handling);
  }

  /** The machine is to be deleted: what else is there of the operation goes first. */
  async abandon(): Promise<number | undefined> {
    if (this.#underWay === null) return undefined;
    const { request, failure } = this.#underWay;
    const handling = handlingOf(request);
    if (handling.how !== 'procedure' || handling.undone === undefined) return undefined;
    const why = failure ?? { reason: null, message: 'The machine is being deleted.' };
    if (failure === null) this.#fail(why);
    return this.#undo(request, handling, why);
  }

  get #underWay(): OperationUnderWay | null {
    return this.#parts.ledger.record.operation;
  }

  /** Nothing of it is written down before it is done: it may hold a secret. */
  async #call(request: OperationRequest, { waitsFor, run }: Calling): Promise<number> {
    const { carrier, clock } = this.#parts;
    try {
      const work = (signal: AbortSignal) => run(this.#parts, signal);
      await carrier.within(() => waitsFor, timeLeftMs(request, clock.nowMs()), work);
      this.#finish(request, { outcome: 'succeeded', message: '' });
    } catch (error) {
      if (error instanceof Interrupted) return 0;
      if (this.#mayPass(request, error)) {
        this.#waiting.set(request.operationId, request);
        return RETRY_MS;
      }
      this.#finish(request, { outcome: 'failed', ...explainFailure(error) });
    }
    return 0;
  }

  async #carry(request: OperationRequest, handling: Stepwise): Promise<number> {
    const { carrier, clock } = this.#parts;
    const before = this.#underWay;
    if (before === null) return 0;
    try {
      this.#overtakenBy = undefined;
      await carrier.carry(handling.procedure(before), timeLeftMs(request, clock.nowMs()));
      const answer = handling.answer?.(this.#underWay ?? before);
      this.#finish(request, { outcome: 'succeeded', message: '' }, answer);
    } catch (error) {
      if (error instanceof Interrupted) {
        // The executor ends: the next one goes on. Or the machine goes, with all that was done.
        if (this.#overtakenBy !== undefined) this.#fail({ reason: null, message: error.message });
        return 0;
      }
      if (this.#mayPass(request, error)) return RETRY_MS;
      this.#fail(explainFailure(error));
    }
    return 0;
  }

  /** What may pass by itself is tried again until the deadline. */
  #mayPass(request: OperationRequest, error: unknown): boolean {
    const { operationId, kind } = request;
    this.#parts.logger.warn({ err: error, operationId, kind }, 'an operation failed');
    return (
      (isTransientFailure(error) || this.#mayComeYet(request, error)) && !this.#isLate(request)
    );
  }

  /** The agent of a guest that has just come up may follow in a moment. */
  #mayComeYet({ operationId }: OperationRequest, error: unknown): boolean {
    if (!(error instanceof VmFailure) || error.reason !== 'GUEST_AGENT_AWAY') return false;
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#missed?.operationId !== operationId) this.#missed = { operationId, sinceMs: nowMs };
    return nowMs - this.#missed.sinceMs < AGENT_COMES_MS;
  }

  /** From now on it is taken back, by whichever executor. */
  #fail(failure: Failure): void {
    const { ledger } = this.#parts;
    ledger.replace(amended(ledger.record, { failure }));
    this.#undoneBeforeMs = undefined;
  }

  async #undo(request: OperationRequest, { undone }: Stepwise, failure: Failure): Promise<number> {
    const { carrier, clock, logger, ledger } = this.#parts;
    this.#undoneBeforeMs ??= clock.monotonicMs() + UNDO_MS;
    try {
      if (undone !== undefined) await carrier.carry(undone, UNDO_ATTEMPT_MS);
    } catch (error) {
      if (error instanceof Interrupted) return 0;
      const { operationId, kind } = request;
      logger.warn({ err: error, operationId, kind }, 'what it made is not taken back yet');
      if (clock.monotonicMs() < this.#undoneBeforeMs) return RETRY_MS;
    }
    if (ledger.record.state === 'reverting') ledger.observe({ state: 'failed', ...whyOf(failure) });
    const { reason, message } = failure;
    this.#finish(request, { outcome: 'failed', message, ...(reason === null ? {} : { reason }) });
    return 0;
  }

  #isLate({ deadlineAtMs }: OperationRequest): boolean {
    return deadlineAtMs !== undefined && this.#parts.clock.nowMs() >= deadlineAtMs;
  }

  #finish(
    { operationId, vmId }: OperationRequest,
    outcome: Pick<OperationResult, 'outcome' | 'message' | 'reason'>,
    answer: Answer = {},
  ): void {
    const { ledger } = this.#parts;
    const result = { operationId, vmId, output: '', ...outcome, ...answer };
    ledger.replace(withResult(ledger.record, result));
  }
}

/** A state is never without a reason. */
function whyOf({ reason, message }: Failure): Explanation {
  return { reason: reason ?? 'HYPERVISOR_ERROR', message };
}
