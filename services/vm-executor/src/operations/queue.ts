import type { OperationId, OperationRequest, OperationResult } from '@factory/contracts';
import type { Clock, Logger } from '@factory/runtime';
import { explainFailure, isTransientFailure } from '../failures.ts';
import type { Carrier } from '../vm/carrier.ts';
import type { Ledger } from '../vm/ledger.ts';
import { Interrupted } from '../vm/run.ts';
import { type Answer, handlingOf, type Stepwise } from './handling.ts';
import { timeLeftMs, withResult } from './outcome.ts';

/** Before what may pass by itself is tried again. */
const RETRY_MS = 2_000;

interface QueueParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ledger: Ledger;
  readonly carrier: Carrier;
}

/**
 * The one-shot operations of one VM, one at a time, in turn with its keeper's moves: those that wait,
 * and the one under way, which the record names so that the next executor ends what this one began.
 */
export class OperationQueue {
  readonly #parts: QueueParts;
  readonly #waiting = new Map<OperationId, OperationRequest>();
  /** The operation that was under way when this executor took the VM over. */
  readonly #inherited: OperationId | undefined;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#inherited = parts.ledger.record.operation?.request.operationId;
  }

  /** Takes a request whose result is not known yet; one that is repeated changes nothing. */
  take(request: OperationRequest): void {
    const { operation } = this.#parts.ledger.record;
    if (operation?.request.operationId === request.operationId) return;
    this.#waiting.set(request.operationId, request);
  }

  /** Goes on with what is under way. Gives when to look again; undefined: nothing was. */
  async resume(): Promise<number | undefined> {
    const { operation } = this.#parts.ledger.record;
    if (operation === null) return undefined;
    const { request } = operation;
    const handling = handlingOf(request);
    if (handling.how !== 'procedure') {
      this.#finish(request, { outcome: 'failed', message: 'It is not known here.' });
      return 0;
    }
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
    const [request] = this.#waiting.values();
    if (request === undefined) return undefined;
    const { ledger } = this.#parts;
    this.#waiting.delete(request.operationId);
    const handling = handlingOf(request);
    if (handling.how !== 'procedure') return 0;
    const refusal = this.#isLate(request)
      ? 'Its time was over before it could be begun.'
      : handling.whyNot(ledger.record);
    if (refusal !== undefined) {
      this.#finish(request, { outcome: 'failed', message: refusal });
      return 0;
    }
    ledger.replace({ ...ledger.record, operation: { request } });
    return this.#carry(request, handling);
  }

  async #carry(request: OperationRequest, { procedure }: Stepwise): Promise<number> {
    const { clock, carrier, logger } = this.#parts;
    const { operationId, kind } = request;
    try {
      await carrier.carry(procedure, timeLeftMs(request, clock.nowMs()));
      this.#finish(request, { outcome: 'succeeded', message: '' });
    } catch (error) {
      // The executor ends: the next one goes on. Or the machine goes, and all that was done with it.
      if (error instanceof Interrupted) return 0;
      logger.warn({ err: error, operationId, kind }, 'an operation failed');
      if (isTransientFailure(error) && !this.#isLate(request)) return RETRY_MS;
      this.#finish(request, { outcome: 'failed', ...explainFailure(error) });
    }
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
