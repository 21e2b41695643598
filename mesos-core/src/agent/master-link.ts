import {
  type Clock,
  createBackoff,
  type HttpStream,
  type HttpTransport,
  type Logger,
  type Random,
  sleep,
  type Timer,
} from '@factory/runtime';
import { authorizationHeader, type Credential } from '../client/endpoint.ts';
import {
  type Detector,
  leadingOrigin,
  pauseForNextAttempt,
  untilSomebodyLeads,
  whenAnotherLeads,
} from '../election/index.ts';
import {
  AGENT_API_PATH,
  type AgentCall,
  type AgentEvent,
  type AgentSubscribe,
  readRecords,
  toldSubscribe,
} from '../protocol/index.ts';
import { createMessageQueues, type MessageQueues } from './message-queues.ts';
import type { AgentSettings } from './settings.ts';

/** What {@link MasterLink} needs. */
export interface MasterLinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: HttpTransport;
  /** Base URLs: `http://10.0.0.1:5050`. One of them leads. Of no use with a detector. */
  readonly masters: readonly string[];
  /** Knows who leads; the link follows it at once. */
  readonly detector?: Detector | undefined;
  readonly settings: AgentSettings;
  /** Shown to the master; `undefined` when it asks for nothing. */
  readonly credential?: Credential | undefined;
  /** What the agent has, at the moment of subscribing. */
  readonly describe: () => AgentSubscribe;
  /** The master knows the agent by this id; the subscription counts when this has resolved. */
  readonly onRegistered: (agentId: string) => Promise<void>;
  /** From now on calls reach the master. */
  readonly onConnected: () => void;
  /** The other events, in order. */
  readonly onEvent: (event: MasterOrder) => void;
}

/** The events that are for the agent and not for the link. */
export type MasterOrder = Exclude<AgentEvent, { type: 'HEARTBEAT' | 'SUBSCRIBED' }>;

/** A subscription that a master has confirmed. */
interface Session {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agentId: string;
  readonly end: (why: string) => void;
}

/** Calls that must not get lost while no master is there; more than this many are too many. */
const OUTBOX_COUNT_MAX = 1000;
/** A stream that was silent for this many heartbeat intervals is dead. */
const SILENT_INTERVALS_MAX = 3;
const FAILED_HEARTBEATS_MAX = 2;
const REDIRECTS_COUNT_MAX = 5;
const STABLE_SESSION_MS = 10_000;
const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

/** A master refused the subscription, or the stream to it is of no more use. */
export class MasterLinkError extends Error {
  readonly code = 'MESOS_ERR_MASTER_LINK';
  constructor(message: string) {
    super(message);
    this.name = 'MasterLinkError';
  }
}

/**
 * Keeps the agent subscribed at the leading master: asks the detector, or finds it among `masters`
 * (others redirect with 307, or answer 503 while nobody leads), and begins anew whenever the stream
 * ends or falls silent, or another master leads.
 */
export class MasterLink {
  readonly #options: MasterLinkOptions;
  readonly #messages: MessageQueues;
  #outbox: AgentCall[] = [];
  #session: Session | undefined;
  #redirect: string | undefined;
  #nextMaster = 0;
  #resubscribeSpreadMs = 0;
  #isLeaving = false;
  #running: { readonly controller: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: MasterLinkOptions) {
    this.#options = options;
    this.#messages = createMessageQueues(options.logger);
  }

  /** Base URL of the master that the agent is subscribed at. */
  get master(): string | undefined {
    return this.#session?.url;
  }

  /** Begins to look for the leader. */
  start(): void {
    const controller = new AbortController();
    this.#running ??= { controller, done: this.#run(controller.signal) };
  }

  /** Has the master hear anew what the agent has. */
  resubscribe(why: string): void {
    this.#session?.end(why);
  }

  /** Ends the subscription; {@link start} begins a new one. */
  async stop(): Promise<void> {
    this.#running?.controller.abort(new MasterLinkError('the agent leaves the master'));
    await this.#running?.done;
    this.#running = undefined;
  }

  /** Tells the master, if there is one, that the agent will not come back; then as {@link stop}. */
  async leave(): Promise<void> {
    // The master ends the stream as soon as it knows.
    this.#isLeaving = true;
    const agent_id = this.#session?.agentId;
    if (agent_id !== undefined) await this.call({ type: 'UNREGISTER', agent_id });
    await this.stop();
  }

  /**
   * Sends a call; false when it did not arrive. EXECUTOR_EXITED waits for the next master when
   * there is none; an UPDATE is repeated by its sender anyway; a MESSAGE may get lost.
   */
  call(call: AgentCall): Promise<boolean> {
    if (this.#session === undefined) {
      if (call.type === 'EXECUTOR_EXITED') this.#keep(call);
      return Promise.resolve(false);
    }
    if (call.type !== 'MESSAGE') return this.#send(this.#session, call);
    const sender = JSON.stringify([call.framework_id, call.executor_id]);
    return this.#messages.add(sender, async () => {
      return this.#session !== undefined && (await this.#send(this.#session, call));
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger, settings, detector } = this.#options;
    const { reconnectBaseMs: baseMs, reconnectMaxMs: maxMs } = settings;
    const backoff = createBackoff({ baseMs, maxMs, random });
    let redirects = 0;
    let before: string | undefined;
    while (!signal.aborted && !this.#isLeaving) {
      const url = await this.#chooseMaster(signal).catch(() => undefined);
      if (url === undefined) return;
      if (detector !== undefined && url !== before) {
        // That the old leader did not answer says nothing of a new one.
        backoff.reset();
        const spreadMs = before === undefined ? 0 : random.next() * this.#resubscribeSpreadMs;
        if (spreadMs > 0) await sleep(clock, spreadMs, signal).catch(() => undefined);
      }
      before = url;
      if (signal.aborted) return;
      const startedMs = clock.monotonicMs();
      try {
        await this.#subscribe(url, signal);
        redirects += 1;
        if (redirects > REDIRECTS_COUNT_MAX)
          throw new MasterLinkError('masters redirect in circles');
      } catch (error) {
        if (signal.aborted) return;
        redirects = 0;
        // A master that takes the agent only to drop it at once must not be besieged.
        if (clock.monotonicMs() - startedMs >= STABLE_SESSION_MS) backoff.reset();
        const retryInMs = Math.round(backoff.nextMs());
        const why = error instanceof Error ? error.message : String(error);
        logger.warn({ master: url, retryInMs, why }, 'not subscribed at a master; trying again');
        await pauseForNextAttempt(clock, retryInMs, signal, { detector, origin: url });
      }
    }
  }

  async #chooseMaster(signal: AbortSignal): Promise<string> {
    const { masters, detector } = this.#options;
    if (detector !== undefined && this.#redirect === undefined) {
      return leadingOrigin(detector) ?? untilSomebodyLeads(detector, signal);
    }
    const url = this.#redirect ?? masters[this.#nextMaster % masters.length];
    if (this.#redirect === undefined) this.#nextMaster += 1;
    this.#redirect = undefined;
    return url ?? '';
  }

  /** Resolves when a redirect is to be followed; otherwise rejects when the stream is over. */
  async #subscribe(url: string, signal: AbortSignal): Promise<void> {
    const { transport, settings, describe, credential } = this.#options;
    const stream = await transport.stream({
      method: 'POST',
      url: url + AGENT_API_PATH,
      headers: { ...JSON_HEADERS, ...authorizationHeader(credential) },
      body: JSON.stringify({ type: 'SUBSCRIBE', subscribe: toldSubscribe(describe()) }),
      timeoutMs: settings.masterCallTimeoutMs,
      signal,
    });
    try {
      if (stream.status === 307) {
        this.#follow(url, stream.headers.location);
        return;
      }
      if (stream.status !== 200) {
        throw new MasterLinkError(`the master answered SUBSCRIBE with ${stream.status}`);
      }
      await this.#readEvents(url, stream, signal);
    } finally {
      this.#session = undefined;
      stream.close();
    }
  }

  #follow(from: string, location: string | undefined): void {
    // Mesos leaves the scheme out: `//10.0.0.2:5050/…`.
    const to = URL.parse(location ?? '', from)?.origin;
    if (to === undefined || to === 'null' || to === new URL(from).origin) {
      throw new MasterLinkError(`the master redirects to ${location}, which is no other master`);
    }
    this.#options.logger.info({ from, to }, 'following a master to the leader');
    this.#redirect = to;
  }

  async #readEvents(url: string, stream: HttpStream, signal: AbortSignal): Promise<never> {
    const { clock, logger, settings, credential, detector } = this.#options;
    const { onRegistered, onConnected, onEvent } = this.#options;
    let whyEnded = 'the master ended the stream';
    const end = (why: string): void => {
      whyEnded = why;
      stream.close();
    };
    const watchdog = createWatchdog(clock, settings.masterCallTimeoutMs, () =>
      end('the stream from the master fell silent'),
    );
    const heart = new AbortController();
    const onAbort = (): void => end('the agent leaves the master');
    signal.addEventListener('abort', onAbort, { once: true });
    const stop = detector && whenAnotherLeads(detector, url, () => end('another master leads'));
    try {
      for await (const record of readRecords(stream.body)) {
        const event = parseEvent(record);
        if (event?.type === 'SUBSCRIBED') {
          const intervalMs = event.heartbeat_interval_seconds * 1000;
          this.#resubscribeSpreadMs = event.resubscribe_spread_ms ?? 0;
          watchdog.setLimit(intervalMs * SILENT_INTERVALS_MAX);
          await onRegistered(event.agent_id);
          const headers = { ...streamHeaders(stream), ...authorizationHeader(credential) };
          this.#session = { url, headers, agentId: event.agent_id, end };
          logger.info({ master: url, agentId: event.agent_id }, 'subscribed at the master');
          this.#flushOutbox();
          onConnected();
          void this.#beat(this.#session, intervalMs, heart.signal);
        } else if (event === undefined) {
          logger.warn({ master: url }, 'ignoring an event that this agent does not know');
        } else if (event.type !== 'HEARTBEAT') {
          onEvent(event);
        }
        watchdog.reset();
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      stop?.();
      heart.abort();
      watchdog.stop();
    }
    throw new MasterLinkError(whyEnded);
  }

  async #beat(session: Session, intervalMs: number, signal: AbortSignal): Promise<void> {
    let failed = 0;
    while (failed < FAILED_HEARTBEATS_MAX) {
      try {
        await sleep(this.#options.clock, intervalMs, signal);
      } catch {
        return;
      }
      const arrived = await this.#send(session, { type: 'HEARTBEAT', agent_id: session.agentId });
      failed = arrived ? 0 : failed + 1;
    }
    session.end('the master does not take heartbeats');
  }

  async #send(session: Session, call: AgentCall): Promise<boolean> {
    const { transport, settings, logger } = this.#options;
    try {
      const { status } = await transport.request({
        method: 'POST',
        url: session.url + AGENT_API_PATH,
        headers: session.headers,
        body: JSON.stringify(call),
        timeoutMs: settings.masterCallTimeoutMs,
      });
      if (status >= 200 && status <= 299) return true;
      // It is no leader any more, or it does not know this stream: only subscribing anew helps.
      if (this.#session === session) session.end(`the master answered ${call.type} with ${status}`);
    } catch (error) {
      logger.debug({ type: call.type, err: error }, 'a call to the master did not arrive');
    }
    if (call.type === 'EXECUTOR_EXITED') this.#keep(call);
    return false;
  }

  #keep(call: AgentCall): void {
    if (this.#outbox.length < OUTBOX_COUNT_MAX) this.#outbox.push(call);
  }

  #flushOutbox(): void {
    const calls = this.#outbox;
    this.#outbox = [];
    for (const call of calls) void this.call(call);
  }
}

function streamHeaders(stream: HttpStream): Readonly<Record<string, string>> {
  const id = stream.headers['mesos-stream-id'];
  return { ...JSON_HEADERS, ...(id === undefined ? {} : { 'mesos-stream-id': id }) };
}

const EVENT_TYPES: ReadonlySet<string> = new Set<AgentEvent['type']>([
  'SUBSCRIBED',
  'HEARTBEAT',
  'RUN_TASKS',
  'KILL_TASK',
  'ACKNOWLEDGED',
  'MESSAGE',
  'APPLY_OPERATION',
  'OPERATION_ACKNOWLEDGED',
  'UPDATE_FRAMEWORK',
  'SHUTDOWN_EXECUTOR',
  'SHUTDOWN_FRAMEWORK',
  'SHUTDOWN',
]);

/** `undefined` for an event of a type that only newer masters know. */
function parseEvent(record: Uint8Array): AgentEvent | undefined {
  const event = JSON.parse(new TextDecoder().decode(record)) as AgentEvent;
  return EVENT_TYPES.has(event.type) ? event : undefined;
}

interface Watchdog {
  setLimit(limitMs: number): void;
  reset(): void;
  stop(): void;
}

function createWatchdog(clock: Clock, limitMs: number, onSilence: () => void): Watchdog {
  let limit = limitMs;
  let timer: Timer = clock.after(limit, onSilence);
  return {
    setLimit(newLimitMs) {
      limit = newLimitMs;
    },
    reset() {
      timer.cancel();
      timer = clock.after(limit, onSilence);
    },
    stop: () => timer.cancel(),
  };
}
