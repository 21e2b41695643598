import {
  type Backoff,
  type Clock,
  createBackoff,
  type HttpTransport,
  HttpTransportError,
  type Logger,
  type Random,
} from '@factory/runtime';
import {
  type Detector,
  leadingOrigin,
  pauseForNextAttempt,
  untilSomebodyLeads,
  whenAnotherLeads,
} from '../election/index.ts';
import type {
  Encoding,
  FrameworkInfo,
  SchedulerCall,
  SchedulerCallSubscribe,
  SchedulerEvent,
} from '../protocol/index.ts';
import { type Credential, type Endpoint, post } from './endpoint.ts';
import { CallRefusedError, NotSubscribedError, SubscriptionRejectedError } from './errors.ts';
import { type EventStream, openEventStream } from './event-stream.ts';
import {
  afterFailure,
  afterRedirect,
  currentMaster,
  type LeaderSearch,
  startLeaderSearch,
} from './leader.ts';

/** Without a connection; with one, SUBSCRIBE sent; SUBSCRIBED received. */
export type SchedulerState = 'disconnected' | 'connected' | 'subscribed';

/** Everything but SUBSCRIBE, which the client sends itself; `framework_id` is added by it too. */
export type SchedulerClientCall = WithoutFrameworkId<Exclude<SchedulerCall, { type: 'SUBSCRIBE' }>>;
type WithoutFrameworkId<Call> = Call extends unknown ? Omit<Call, 'framework_id'> : never;

export interface SchedulerClientOptions {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * URLs of all masters, `http://host:5050`, among which the leader is found; or what knows who leads:
   * see `openMasters`.
   */
  readonly masters: readonly string[] | Detector;
  /** With an `id` the framework fails over to this client; without one it is new. */
  readonly frameworkInfo: FrameworkInfo;
  readonly suppressedRoles?: readonly string[];
  readonly offerConstraints?: SchedulerCallSubscribe['offer_constraints'];
  /** Default `protobuf`, the faster one. */
  readonly encoding?: Encoding;
  readonly credential?: Credential;
  /**
   * Gets every event in order, SUBSCRIBED, HEARTBEAT and ERROR included; the next one is read when
   * it is done. What it throws ends the client.
   */
  readonly onEvent: (event: SchedulerEvent) => void | Promise<void>;
  readonly onState?: (state: SchedulerState) => void;
  /** Deadline of each call, default 10 s. */
  readonly callTimeoutMs?: number;
  /** Deadline of SUBSCRIBE and of the first event, default 10 s. */
  readonly subscribeTimeoutMs?: number;
  /** So many heartbeats may fail to come before the connection counts as dead; default 3. */
  readonly heartbeatsMissedMax?: number;
  /** Bounds of the random pause between attempts; default 250 ms to 10 s. */
  readonly backoffBaseMs?: number;
  readonly backoffMaxMs?: number;
}

/** Used until SUBSCRIBED names another, as Mesos' own default. */
const HEARTBEAT_INTERVAL_SECONDS = 15;

/** A redirect is followed at once, but two masters that point to each other are not. */
const REDIRECTS_MAX = 3;

/** Answers to SUBSCRIBE that the same SUBSCRIBE will always get. */
const HOPELESS_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 406, 415]);

interface Session {
  readonly endpoint: Endpoint;
  readonly stream: EventStream<'scheduler.Event'>;
}

/**
 * A framework's side of the v1 scheduler API. Finds the leading master, keeps a subscription alive
 * over failures of masters and network, and makes the calls that belong to it.
 */
export class SchedulerClient {
  readonly #options: SchedulerClientOptions;
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  #frameworkInfo: FrameworkInfo;
  #suppressedRoles: readonly string[];
  readonly #detector: Detector | undefined;
  #search: LeaderSearch | undefined;
  #redirects = 0;
  #session: Session | undefined;
  #state: SchedulerState = 'disconnected';
  #running: Promise<void> | undefined;

  /** @throws RangeError without masters; TypeError when one is not a URL. */
  constructor(options: SchedulerClientOptions) {
    this.#options = options;
    this.#frameworkInfo = options.frameworkInfo;
    this.#suppressedRoles = options.suppressedRoles ?? [];
    if ('watch' in options.masters) this.#detector = options.masters;
    else this.#search = startLeaderSearch(options.masters);
    this.#backoff = createBackoff({
      baseMs: options.backoffBaseMs ?? 250,
      maxMs: options.backoffMaxMs ?? 10_000,
      random: options.random,
    });
  }

  get state(): SchedulerState {
    return this.#state;
  }

  /** Undefined until the first SUBSCRIBED. Keep it: with it a later process fails over. */
  get frameworkId(): string | undefined {
    return this.#frameworkInfo.id?.value;
  }

  /** Origin of the master that is used or tried now; empty while none is known. */
  get master(): string {
    return this.#search === undefined ? '' : currentMaster(this.#search);
  }

  /**
   * Subscribes and stays subscribed until `stop`. Call it once.
   * @throws SubscriptionRejectedError when the master will not have this framework (again), and
   * what `onEvent` throws.
   */
  run(): Promise<void> {
    this.#running ??= this.#keepSubscribed();
    return this.#running;
  }

  /** Ends the connection. The framework stays, for its failover timeout: TEARDOWN ends it. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('The scheduler client was stopped'));
    this.#session?.stream.close();
    await this.#running?.catch(() => undefined); // whoever called run() has it
  }

  /**
   * Makes a call and waits until the master has accepted it (202); what comes of it comes as
   * events. After an HttpTransportError nobody knows whether it was carried out.
   * @throws NotSubscribedError at once when there is no subscription; CallRefusedError;
   * HttpTransportError after `callTimeoutMs` at the latest.
   */
  async call(call: SchedulerClientCall): Promise<void> {
    const session = this.#session;
    const { id } = this.#frameworkInfo;
    if (session === undefined || this.#state !== 'subscribed' || id === undefined) {
      throw new NotSubscribedError(call.type);
    }
    this.#remember(call);
    try {
      const message = { ...call, framework_id: id };
      await post(session.endpoint, 'scheduler.Call', message, {
        timeoutMs: this.#options.callTimeoutMs ?? 10_000,
        streamId: session.stream.streamId,
        signal: this.#stopping.signal,
      });
    } catch (error) {
      // A master that no longer leads says so here before its stream ends.
      const isGone =
        error instanceof CallRefusedError && (error.status === 307 || error.status === 503);
      if (isGone) session.stream.close();
      throw error;
    }
  }

  /** What the next SUBSCRIBE must say so as not to undo this call. */
  #remember(call: SchedulerClientCall): void {
    switch (call.type) {
      case 'UPDATE_FRAMEWORK': {
        const { id } = this.#frameworkInfo;
        this.#frameworkInfo = { ...call.update_framework.framework_info, id };
        this.#suppressedRoles = call.update_framework.suppressed_roles ?? [];
        break;
      }
      case 'SUPPRESS': {
        const roles = rolesOf(call.suppress?.roles, this.#frameworkInfo);
        this.#suppressedRoles = [...new Set([...this.#suppressedRoles, ...roles])];
        break;
      }
      case 'REVIVE': {
        const roles = new Set(rolesOf(call.revive?.roles, this.#frameworkInfo));
        this.#suppressedRoles = this.#suppressedRoles.filter((role) => !roles.has(role));
        break;
      }
    }
  }

  async #keepSubscribed(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#subscribeOnce(await this.#findMaster(signal));
        this.#search = this.#search && afterFailure(this.#search);
        this.#options.logger.info({ master: this.master }, 'the master ended the subscription');
      } catch (error) {
        if (signal.aborted) break;
        if (this.#followRedirect(error)) continue;
        this.#giveUpOrGoOn(error);
      } finally {
        this.#session = undefined;
        this.#setState('disconnected');
      }
      const following = { detector: this.#detector, origin: this.master };
      await pauseForNextAttempt(this.#options.clock, this.#backoff.nextMs(), signal, following);
    }
  }

  async #findMaster(signal: AbortSignal): Promise<string> {
    // A redirect is newer than what the detector knows.
    if (this.#detector !== undefined && this.#search?.redirectedTo === undefined) {
      const origin =
        leadingOrigin(this.#detector) ?? (await untilSomebodyLeads(this.#detector, signal));
      // That the old leader did not answer says nothing of a new one.
      if (origin !== this.master) this.#backoff.reset();
      this.#search = startLeaderSearch([origin]);
    }
    return this.master;
  }

  async #subscribeOnce(master: string): Promise<void> {
    const { clock, transport, credential, subscribeTimeoutMs = 10_000 } = this.#options;
    const endpoint: Endpoint = {
      transport,
      url: `${master}/api/v1/scheduler`,
      encoding: this.#options.encoding ?? 'protobuf',
      credential,
    };
    const names = { call: 'scheduler.Call', event: 'scheduler.Event' } as const;
    const stream = await openEventStream(endpoint, clock, names, this.#subscribeCall(), {
      timeoutMs: subscribeTimeoutMs,
      signal: this.#stopping.signal,
    });
    this.#session = { endpoint, stream };
    this.#setState('connected');
    const stop = this.#detector && whenAnotherLeads(this.#detector, master, () => stream.close());
    try {
      for await (const event of stream.events()) {
        if (this.#stopping.signal.aborted) return;
        if (event.type === 'SUBSCRIBED') this.#onSubscribed(event.subscribed, stream);
        await this.#handle(event);
        if (event.type === 'ERROR') throw rejection(event.error.message);
      }
    } finally {
      stop?.();
    }
  }

  #subscribeCall(): SchedulerCall {
    const { id } = this.#frameworkInfo;
    const { offerConstraints } = this.#options;
    return {
      type: 'SUBSCRIBE',
      ...(id === undefined ? {} : { framework_id: id }),
      subscribe: {
        framework_info: this.#frameworkInfo,
        suppressed_roles: this.#suppressedRoles,
        ...(offerConstraints === undefined ? {} : { offer_constraints: offerConstraints }),
      },
    };
  }

  #onSubscribed(
    subscribed: Extract<SchedulerEvent, { type: 'SUBSCRIBED' }>['subscribed'],
    stream: EventStream<'scheduler.Event'>,
  ): void {
    const { framework_id: id, heartbeat_interval_seconds } = subscribed;
    const intervalMs = (heartbeat_interval_seconds ?? HEARTBEAT_INTERVAL_SECONDS) * 1000;
    stream.allowSilence(intervalMs * ((this.#options.heartbeatsMissedMax ?? 3) + 1));
    this.#frameworkInfo = { ...this.#frameworkInfo, id };
    this.#backoff.reset();
    this.#redirects = 0;
    this.#setState('subscribed');
  }

  async #handle(event: SchedulerEvent): Promise<void> {
    try {
      await this.#options.onEvent(event);
    } catch (error) {
      throw new HandlerError(error);
    }
  }

  #followRedirect(error: unknown): boolean {
    if (!(error instanceof CallRefusedError) || error.status !== 307) return false;
    if (this.#search !== undefined) this.#search = afterRedirect(this.#search, error.location);
    this.#redirects += 1;
    if (this.#redirects <= REDIRECTS_MAX) return true;
    this.#redirects = 0;
    return false;
  }

  /** @throws the error when another attempt could only end the same way. */
  #giveUpOrGoOn(error: unknown): void {
    if (error instanceof HandlerError) throw error.cause;
    if (error instanceof SubscriptionRejectedError) throw error;
    if (error instanceof CallRefusedError && HOPELESS_STATUSES.has(error.status)) {
      throw new SubscriptionRejectedError('refused', error.message, { cause: error });
    }
    const level = error instanceof HttpTransportError ? 'info' : 'warn';
    this.#options.logger[level]({ err: error, master: this.master }, 'not subscribed');
    if (error instanceof CallRefusedError && error.status === 307) return;
    this.#search = this.#search && afterFailure(this.#search);
  }

  #setState(state: SchedulerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

/** Tells an error of the caller's own handler from one of the connection. */
class HandlerError extends Error {
  constructor(cause: unknown) {
    super('The event handler failed', { cause });
    this.name = 'HandlerError';
  }
}

/** No roles in the call means all that the framework has. */
function rolesOf(roles: readonly string[] | undefined, info: FrameworkInfo): readonly string[] {
  if (roles !== undefined && roles.length > 0) return roles;
  return info.roles ?? [info.role ?? '*'];
}

/** Mesos tells what an ERROR event means by its text alone. */
function rejection(message: string): SubscriptionRejectedError {
  if (message === 'Framework failed over') {
    return new SubscriptionRejectedError('failed-over', message);
  }
  if (/Framework has been removed|Completed framework/.test(message)) {
    return new SubscriptionRejectedError('removed', message);
  }
  return new SubscriptionRejectedError('refused', message);
}
