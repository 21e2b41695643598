import { LINK_LIMITS, type NumberedCommand, PROBLEMS, type VmSample } from '@factory/contracts';
import {
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  RemoteProblemError,
  sleep,
  withDeadline,
} from '@factory/runtime';
import type { ClusterIdentity, ClusterStore } from '../store.ts';
import type { LinkClient } from './link-client.ts';
import type { Outbox } from './outbox.ts';

const BACKOFF_BASE_MS = 200;
const BACKOFF_MAX_MS = 10_000;
/** The cluster's own database answers in this time, or the exchange counts as failed. */
const STORE_TIMEOUT_MS = 15_000;

export interface LinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly client: LinkClient;
  readonly store: ClusterStore;
  readonly outbox: Outbox;
  /**
   * Applies one command; repeating it changes nothing. Throws when it has to be tried again: what
   * is refused for good is reported, and the commands behind it go on.
   */
  readonly apply: (command: NumberedCommand['command'], seq: number) => Promise<void>;
  /** Another cluster-server has taken over: this one must end. */
  readonly onFenced: () => void;
}

/**
 * Keeps the link to the api-server: one lane waits for commands, the other reports changes the
 * moment there are any. Both are the same call; whatever comes in on either is applied in order.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #closing = new AbortController();
  #identity: ClusterIdentity | undefined;
  #epoch: number | undefined;
  #appliedSeq = 0;
  #applying: Promise<void> = Promise.resolve();
  #wakeReporter: () => void = () => undefined;
  #lanes: Promise<unknown> = Promise.resolve();
  /** When the api-server last answered, on the monotonic clock; `undefined` before it ever did. */
  lastAnswerAtMs: number | undefined;
  /** Up to here the api-server has everything; `undefined` before this process reported anything. */
  reportedRevision: number | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  start(identity: ClusterIdentity): void {
    this.#identity = identity;
    this.#lanes = Promise.all([this.#lane(() => this.#listen()), this.#lane(() => this.#report())]);
  }

  /** Signs with another key from now on. */
  useIdentity(identity: ClusterIdentity): void {
    this.#identity = identity;
  }

  /** Who speaks, and in which session; undefined while there is none. */
  get session(): { readonly identity: ClusterIdentity; readonly epoch: number } | undefined {
    if (this.#identity === undefined || this.#epoch === undefined) return undefined;
    return { identity: this.#identity, epoch: this.#epoch };
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the link is closing'));
    this.#wakeReporter();
    await this.#lanes;
  }

  /** There is something new in the outbox. */
  wake(): void {
    this.#wakeReporter();
  }

  /** Tells what machines use; nothing is told before there is a session. */
  async reportUse(samples: readonly VmSample[]): Promise<void> {
    if (this.#identity === undefined || this.#epoch === undefined) return;
    const { client } = this.#options;
    await client.metrics(this.#identity, this.#epoch, samples, this.#closing.signal);
  }

  async #lane(step: () => Promise<void>): Promise<void> {
    const { clock, random, logger } = this.#options;
    const backoff = createBackoff({ baseMs: BACKOFF_BASE_MS, maxMs: BACKOFF_MAX_MS, random });
    while (!this.#closing.signal.aborted) {
      try {
        await step();
        backoff.reset();
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (this.#isFenced(error)) return;
        logger.warn({ err: error }, 'exchange failed; trying again');
        await sleep(clock, backoff.nextMs(), this.#closing.signal).catch(() => undefined);
      }
    }
  }

  async #listen(): Promise<void> {
    await this.#openSession();
    await this.#exchange(LINK_LIMITS.waitMsMax);
  }

  async #report(): Promise<void> {
    if (this.#options.outbox.isEmpty || this.#epoch === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeReporter = resolve;
      if (!this.#closing.signal.aborted) await promise;
      return;
    }
    await this.#exchange(0);
  }

  async #openSession(): Promise<void> {
    const { client, logger } = this.#options;
    if (this.#epoch !== undefined || this.#identity === undefined) return;
    this.#epoch = await client.openSession(this.#identity, this.#closing.signal);
    logger.info({ epoch: this.#epoch }, 'linked to the api-server');
    this.#wakeReporter();
  }

  async #exchange(waitMs: number): Promise<void> {
    const { client, outbox, store } = this.#options;
    if (this.#identity === undefined || this.#epoch === undefined) return;
    // Plans and refusals go out no later than the acknowledgement of their command.
    const { reports, reportedRevision, heldSeq } = outbox.take();
    const appliedCommandSeq = Math.min(this.#appliedSeq, heldSeq - 1);
    const request = { epoch: this.#epoch, appliedCommandSeq, waitMs, reports };
    const isWaiting = waitMs > 0 && outbox.isEmpty;
    const answer = await client.exchange(
      this.#identity,
      { ...request, waitMs: isWaiting ? waitMs : 0 },
      this.#closing.signal,
    );
    this.lastAnswerAtMs = this.#options.clock.monotonicMs();
    outbox.acknowledge(reports);
    if (reportedRevision !== undefined && reports.vms.length > 0) {
      const save = () => store.saveReportedRevision(reportedRevision);
      await withDeadline(this.#options.clock, 'saving the revision', STORE_TIMEOUT_MS, save);
      this.reportedRevision = Math.max(this.reportedRevision ?? 0, reportedRevision);
    }
    await this.#applyInOrder(answer.commands);
  }

  /** Both lanes may bring the same commands: each is applied once, in order. */
  #applyInOrder(commands: readonly NumberedCommand[]): Promise<void> {
    const work = async (): Promise<void> => {
      for (const { seq, command } of commands) {
        if (seq <= this.#appliedSeq) continue;
        await this.#options.apply(command, seq);
        this.#appliedSeq = seq;
      }
    };
    const applied = this.#applying.then(work);
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  #isFenced(error: unknown): boolean {
    if (!(error instanceof RemoteProblemError)) return false;
    if (error.code !== PROBLEMS.staleEpoch.code) return false;
    this.#options.logger.error({}, 'another cluster-server has taken over this cluster');
    this.#closing.abort(error);
    this.#options.onFenced();
    return true;
  }
}
