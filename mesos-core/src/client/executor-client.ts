import { type Clock, type HttpTransport, type Logger, type Random, sleep } from '@factory/runtime';
import {
  CodecError,
  type Encoding,
  type ExecutorCall,
  type ExecutorEvent,
  newUuidBase64,
  type TaskStatus,
} from '../protocol/index.ts';
import { type Endpoint, post } from './endpoint.ts';
import {
  AgentLostError,
  CallRefusedError,
  NotSubscribedError,
  SubscriptionRejectedError,
} from './errors.ts';
import { type EventStream, openEventStream } from './event-stream.ts';
import type { ExecutorEnvironment } from './executor-environment.ts';
import {
  afterEvent,
  NOTHING_UNACKNOWLEDGED,
  type PendingUpdate,
  type Unacknowledged,
  withUpdate,
} from './unacknowledged.ts';

/** What the executor says of a task; the rest of the status is added by the client. */
export type ExecutorUpdate = Omit<TaskStatus, 'uuid' | 'source' | 'timestamp' | 'executor_id'>;

export interface ExecutorClientOptions {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly environment: ExecutorEnvironment;
  /** Default `protobuf`, the faster one. */
  readonly encoding?: Encoding;
  /**
   * Gets every event in order; the next one is read when it is done. What it throws ends the
   * client. After SHUTDOWN, end the tasks, send their updates, and call `stop` within the grace
   * period.
   */
  readonly onEvent: (event: ExecutorEvent) => void | Promise<void>;
  /** Deadline of each call and of SUBSCRIBE, default 10 s. */
  readonly callTimeoutMs?: number;
  /**
   * Silence after which the agent counts as dead. Default none: Mesos' agents send a heartbeat
   * only every half hour, and the end of a local connection is noticed at once.
   */
  readonly silenceMaxMs?: number;
}

interface Session {
  readonly stream: EventStream<'executor.Event'>;
  /** Updates up to here went with SUBSCRIBE or by calls of their own. */
  readonly sent: Set<string>;
}

/**
 * An executor's side of the v1 executor API: keeps a subscription with the agent, over the agent's
 * restarts where the framework checkpoints, and repeats status updates until they are acknowledged.
 */
export class ExecutorClient {
  readonly #options: ExecutorClientOptions;
  readonly #endpoint: Endpoint;
  readonly #stopping = new AbortController();
  #unacknowledged: Unacknowledged = NOTHING_UNACKNOWLEDGED;
  #session: Session | undefined;
  #isShutdown = false;
  #isFlushing = false;
  #running: Promise<void> | undefined;

  constructor(options: ExecutorClientOptions) {
    this.#options = options;
    const { agentUrl, authenticationToken: token } = options.environment;
    this.#endpoint = {
      transport: options.transport,
      url: `${agentUrl}/api/v1/executor`,
      encoding: options.encoding ?? 'protobuf',
      credential: token === undefined ? undefined : { token },
    };
  }

  get isSubscribed(): boolean {
    return this.#session !== undefined;
  }

  /** Updates that the agent has not acknowledged yet, oldest first. */
  get unacknowledgedUpdates(): readonly PendingUpdate[] {
    return [...this.#unacknowledged.updates.values()];
  }

  /**
   * Subscribes and stays subscribed until `stop`, or until the stream ends after SHUTDOWN. Call it
   * once.
   * @throws AgentLostError when the agent went away and must not be waited for, or did not come
   * back within the recovery timeout: end the tasks and exit; SubscriptionRejectedError when the
   * agent will not have this executor; and what `onEvent` throws.
   */
  run(): Promise<void> {
    this.#running ??= this.#keepSubscribed();
    return this.#running;
  }

  /** Ends the connection. Updates that were not acknowledged are not sent any more. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The executor client was stopped'));
    this.#session?.stream.close();
    await this.#running?.catch(() => undefined); // whoever called run() has it
  }

  /**
   * Takes a status update and sends it, in the order of these calls, now and with every new
   * subscription until the agent acknowledges it.
   * @returns its uuid (base64), which ACKNOWLEDGED will name.
   */
  update(update: ExecutorUpdate): string {
    const { clock, random, environment } = this.#options;
    const uuid = newUuidBase64(random);
    this.#unacknowledged = withUpdate(this.#unacknowledged, {
      ...update,
      uuid,
      source: 'SOURCE_EXECUTOR',
      timestamp: clock.nowMs() / 1000,
      executor_id: { value: environment.executorId },
    });
    this.#flush();
    return uuid;
  }

  /**
   * Sends data to the framework's scheduler, at most once.
   * @param data base64
   * @throws NotSubscribedError, CallRefusedError, or HttpTransportError: it may have arrived then.
   */
  async message(data: string): Promise<void> {
    if (this.#session === undefined) throw new NotSubscribedError('MESSAGE');
    await this.#post({ ...this.#ids(), type: 'MESSAGE', message: { data } });
  }

  async #keepSubscribed(): Promise<void> {
    const { clock, environment, logger, random } = this.#options;
    const { signal } = this.#stopping;
    let lostAtMs = clock.monotonicMs();
    let mayWait = true; // for the first subscription, even without checkpointing
    while (!signal.aborted) {
      let cause: unknown;
      try {
        const wasSubscribed = await this.#subscribeOnce();
        if (this.#isShutdown) return;
        if (wasSubscribed) lostAtMs = clock.monotonicMs();
        mayWait = environment.checkpoint;
      } catch (error) {
        if (signal.aborted) return;
        if (isFinal(error)) throw finalError(error);
        cause = error;
      }
      this.#requireHope(mayWait, clock.monotonicMs() - lostAtMs, cause);
      logger.info({ err: cause, agent: environment.agentUrl }, 'not subscribed with the agent');
      const pauseMs = random.next() * environment.subscriptionBackoffMaxMs;
      // Only stop() cuts the pause short; the loop ends then.
      await sleep(clock, pauseMs, signal).catch(() => undefined);
    }
  }

  /** @throws AgentLostError when there is nothing to wait for any more. */
  #requireHope(mayWait: boolean, waitedMs: number, cause: unknown): void {
    const { checkpoint, recoveryTimeoutMs } = this.#options.environment;
    const options = cause === undefined ? {} : { cause };
    if (!mayWait) {
      throw new AgentLostError('The agent is gone and the framework does not checkpoint', options);
    }
    if (waitedMs < recoveryTimeoutMs) return;
    const waited = checkpoint ? 'The agent did not come back' : 'The agent did not answer';
    throw new AgentLostError(`${waited} within ${recoveryTimeoutMs} ms`, options);
  }

  /** Ends when the stream does. True when it got as far as SUBSCRIBED. */
  async #subscribeOnce(): Promise<boolean> {
    const { clock, callTimeoutMs = 10_000, silenceMaxMs } = this.#options;
    const { tasks, updates } = this.#unacknowledged;
    const subscribe: ExecutorCall = {
      ...this.#ids(),
      type: 'SUBSCRIBE',
      subscribe: {
        unacknowledged_tasks: [...tasks.values()],
        unacknowledged_updates: [...updates.values()].map((status) => ({ status })),
      },
    };
    const names = { call: 'executor.Call', event: 'executor.Event' } as const;
    const stream = await openEventStream(this.#endpoint, clock, names, subscribe, {
      timeoutMs: callTimeoutMs,
      signal: this.#stopping.signal,
    });
    let wasSubscribed = false;
    try {
      for await (const event of stream.events()) {
        if (this.#stopping.signal.aborted) break;
        if (event.type === 'SUBSCRIBED') {
          wasSubscribed = true;
          stream.allowSilence(silenceMaxMs ?? Number.POSITIVE_INFINITY);
          this.#session = { stream, sent: new Set(updates.keys()) };
        }
        await this.#onEvent(event);
      }
    } catch (error) {
      if (!wasSubscribed || isFinal(error)) throw error;
      this.#options.logger.info({ err: error }, 'the stream of the agent broke');
    } finally {
      this.#session = undefined;
    }
    return wasSubscribed;
  }

  async #onEvent(event: ExecutorEvent): Promise<void> {
    this.#unacknowledged = afterEvent(this.#unacknowledged, event);
    if (event.type === 'SHUTDOWN') this.#isShutdown = true;
    if (event.type === 'SUBSCRIBED') this.#flush();
    try {
      await this.#options.onEvent(event);
    } catch (error) {
      throw new HandlerError(error);
    }
    if (event.type === 'ERROR') throw new SubscriptionRejectedError('refused', event.error.message);
  }

  /** Sends what was not sent in this session yet, one after the other. */
  #flush(): void {
    if (!this.#isFlushing) void this.#sendUpdates();
  }

  async #sendUpdates(): Promise<void> {
    this.#isFlushing = true;
    for (;;) {
      const session = this.#session;
      const next = this.unacknowledgedUpdates.find(({ uuid }) => session?.sent.has(uuid) === false);
      if (session === undefined || next === undefined) break;
      try {
        await this.#post({ ...this.#ids(), type: 'UPDATE', update: { status: next } });
        session.sent.add(next.uuid);
      } catch (error) {
        await this.#onUpdateFailure(session, next, error);
      }
    }
    this.#isFlushing = false;
  }

  /** Nothing is lost: the update goes with the next SUBSCRIBE, or is sent again here. */
  async #onUpdateFailure(session: Session, update: PendingUpdate, error: unknown): Promise<void> {
    const { clock, logger } = this.#options;
    const fields = { err: error, taskId: update.task_id.value, state: update.state };
    const isRefused = error instanceof CallRefusedError && error.status < 500;
    if (isRefused || error instanceof CodecError) {
      logger.error(fields, 'the agent refused a status update');
      session.sent.add(update.uuid);
      return;
    }
    logger.warn(fields, 'a status update was not answered; sending it again');
    await sleep(clock, UPDATE_RETRY_MS, this.#stopping.signal).catch(() => undefined);
    if (this.#stopping.signal.aborted) this.#session = undefined;
  }

  async #post(call: ExecutorCall): Promise<void> {
    await post(this.#endpoint, 'executor.Call', call, {
      timeoutMs: this.#options.callTimeoutMs ?? 10_000,
      signal: this.#stopping.signal,
    });
  }

  #ids(): Pick<ExecutorCall, 'executor_id' | 'framework_id'> {
    const { executorId, frameworkId } = this.#options.environment;
    return { executor_id: { value: executorId }, framework_id: { value: frameworkId } };
  }
}

/** The agent takes an update it has seen before as the same one. */
const UPDATE_RETRY_MS = 500;

/** Tells an error of the caller's own handler from one of the connection. */
class HandlerError extends Error {
  constructor(cause: unknown) {
    super('The event handler failed', { cause });
    this.name = 'HandlerError';
  }
}

/**
 * Whether trying again could only end the same way. The agent answers 400 when it does not know
 * the executor, which is final, and 503 while it recovers, which is not.
 */
function isFinal(error: unknown): boolean {
  if (error instanceof HandlerError || error instanceof SubscriptionRejectedError) return true;
  return error instanceof CallRefusedError && [400, 401, 403, 406, 415].includes(error.status);
}

/** What the caller of `run` gets for an error that is final. */
function finalError(error: unknown): unknown {
  if (error instanceof HandlerError) return error.cause;
  if (!(error instanceof CallRefusedError)) return error;
  return new SubscriptionRejectedError('refused', error.message, { cause: error });
}
