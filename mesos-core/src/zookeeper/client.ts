import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Backoff,
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  sleep,
  type Timer,
} from '@factory/runtime';
import { Addresses, type Resolve, resolveBySystem, type Server } from './addresses.ts';
import { Connection, lost, type SessionGrant } from './connection.ts';
import { hasReason, replyError, ZooKeeperError } from './errors.ts';
import type { JuteReader, JuteWriter } from './jute.ts';
import {
  CREATE_FLAGS,
  CREATOR_ACL,
  OPEN_ACL,
  type OPERATIONS,
  readStat,
  readTransaction,
  type Stat,
  type TransactionStep,
  writeCreate,
  writeTransaction,
} from './protocol.ts';
import type { ZooKeeperUrl } from './url.ts';
import { Watches } from './watches.ts';

export interface ZooKeeperOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly servers: ZooKeeperUrl['servers'];
  /** Nodes are then made so that only the creator may change them. */
  readonly credential: string | undefined;
  /** Asked for; the server has bounds of its own. */
  readonly sessionTimeoutMs: number;
  /** Opens a connection; default TCP. */
  readonly dial?: Dial;
  /** Looks up the names of servers; default by the system, and not at all with a `dial`. */
  readonly resolve?: Resolve;
}

/** Of the session's timeout; the rest is time for its owner to stop before another may begin. */
const TRUSTED_SHARE = 0.9;

/** A way to reach a server; what is written before it is connected must wait. */
export type Dial = (server: Server) => Duplex;

/**
 * One ZooKeeper session: found again on any of the servers until it ends. It ends when the server
 * says so, and also when this client's own clock says that the server may have ended it: nothing was
 * answered for nearly as long as the session's timeout. So its owner never believes in a session, and in
 * the ephemeral nodes that live in it, for longer than the server does.
 */
export class ZooKeeperClient {
  /** Resolves with the reason when the session is over for good: expired, refused or closed. */
  readonly ended: Promise<ZooKeeperError>;
  readonly #options: ZooKeeperOptions;
  readonly #addresses: Addresses;
  readonly #watches = new Watches();
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  readonly #resolveEnded: (error: ZooKeeperError) => void;
  #end: ZooKeeperError | undefined;
  #grant: SessionGrant | undefined;
  #lastZxid = 0n;
  /** Monotonic time until which the server surely keeps the session. */
  #validUntilMs = Number.POSITIVE_INFINITY;
  #expiryTimer: Timer | undefined;
  /** The newest, which may not have been answered yet. */
  #attempt: Connection | undefined;
  #connection: Connection | undefined;
  #connected = Promise.withResolvers<Connection>();

  /** Begins to connect. */
  constructor(options: ZooKeeperOptions) {
    this.#options = options;
    const byDefault: Resolve =
      options.dial === undefined ? resolveBySystem : async (host) => [host];
    const { clock, random, servers, resolve: resolveName = byDefault } = options;
    const lookupTimeoutMs = options.sessionTimeoutMs / 6;
    this.#addresses = new Addresses({
      ...{ clock, random, servers, lookupTimeoutMs, resolve: resolveName },
    });
    this.#backoff = createBackoff({ baseMs: 100, maxMs: 1000, random: options.random });
    const { promise, resolve } = Promise.withResolvers<ZooKeeperError>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    this.#connected.promise.catch(() => undefined);
    void this.#stayConnected();
  }

  /** 0 until a server has given one. */
  get sessionId(): bigint {
    return this.#grant?.sessionId ?? 0n;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Makes a node; gives its path, with a number at its end when it is sequential. After
   * CONNECTION_LOSS or DEADLINE nobody knows whether it was made.
   */
  async create(
    path: string,
    data: Uint8Array,
    options: { readonly ephemeral?: boolean; readonly sequential?: boolean } = {},
  ): Promise<string> {
    const flags =
      (options.ephemeral === true ? CREATE_FLAGS.ephemeral : 0) |
      (options.sequential === true ? CREATE_FLAGS.sequential : 0);
    const acl = this.#acl();
    const write = (writer: JuteWriter): void => writeCreate(writer, path, data, acl, flags);
    return (await this.#call('create', path, write)).text();
  }

  /** Makes the nodes of a path that do not exist yet, empty. */
  async ensurePath(path: string): Promise<void> {
    const names = path.split('/').slice(1);
    for (const [index] of names.entries()) {
      const part = `/${names.slice(0, index + 1).join('/')}`;
      // Asked first: who may not create it may still use it.
      while ((await this.exists(part)) === undefined) {
        await this.create(part, new Uint8Array()).catch((error: unknown) => {
          if (!hasReason(error, 'NODE_EXISTS', 'CONNECTION_LOSS')) throw error;
        });
      }
    }
  }

  /** `undefined` when there is no such node; `watcher` then waits for it to be made. */
  async exists(path: string, watcher?: () => void): Promise<Stat | undefined> {
    try {
      return readStat(await this.#read('exists', path, watcher));
    } catch (error) {
      if (hasReason(error, 'NO_NODE')) return undefined;
      throw error;
    }
  }

  /** @throws ZooKeeperError NO_NODE */
  async getData(path: string, watcher?: () => void): Promise<{ data: Buffer; stat: Stat }> {
    const reader = await this.#read('getData', path, watcher);
    return { data: reader.buffer(), stat: readStat(reader) };
  }

  /** Names, without the path, in no order. @throws ZooKeeperError NO_NODE */
  async getChildren(path: string, watcher?: () => void): Promise<readonly string[]> {
    const reader = await this.#read('getChildren', path, watcher);
    return reader.list((each) => each.text());
  }

  /** @throws ZooKeeperError BAD_VERSION when another wrote since. */
  async setData(path: string, data: Uint8Array, version: number): Promise<Stat> {
    const write = (writer: JuteWriter) => writer.text(path).buffer(data).int(version);
    return readStat(await this.#call('setData', path, write));
  }

  /** @param version -1 for any. */
  async delete(path: string, version = -1): Promise<void> {
    await this.#call('delete', path, (writer) => writer.text(path).int(version));
  }

  /** Brings the server that is asked up to what the ensemble has agreed on so far. */
  async sync(path: string): Promise<void> {
    await this.#repeat('sync', path, (writer) => writer.text(path));
  }

  /**
   * All steps, or none. Gives the Stat of each setData.
   * @throws ZooKeeperError with the reason of the step that can't be done.
   */
  async transaction(steps: readonly TransactionStep[]): Promise<readonly (Stat | undefined)[]> {
    const what = steps.map((step) => step.path).join(' ');
    const write = (writer: JuteWriter) => writeTransaction(writer, steps, this.#acl());
    const results = readTransaction(await this.#call('multi', what, write));
    // Steps after the one that failed say -2, those before it 0.
    const index = results.findIndex(({ status }) => status !== 0 && status !== -2);
    const failed = results[index] ?? results.find(({ status }) => status !== 0);
    if (failed !== undefined) throw replyError(failed.status, steps[index]?.path ?? what);
    return results.map(({ stat }) => stat);
  }

  /** Ends the session: its ephemeral nodes go at once if a server hears of it within a second. */
  async close(): Promise<void> {
    const connection = this.#connection;
    if (connection !== undefined && this.#end === undefined) {
      const answered = connection.request('closeSession', 'close', () => undefined);
      const late = sleep(this.#options.clock, 1000, this.#stopping.signal);
      await Promise.race([answered, late]).catch(() => undefined); // the server ends it in time
    }
    this.#finish(new ZooKeeperError('CLOSED', 'the client was closed'));
  }

  #acl() {
    return this.#options.credential === undefined ? OPEN_ACL : CREATOR_ACL;
  }

  async #read(
    operation: 'exists' | 'getData' | 'getChildren',
    path: string,
    watcher: (() => void) | undefined,
  ): Promise<JuteReader> {
    if (watcher !== undefined) this.#watches.add(path, watcher);
    try {
      return await this.#repeat(operation, path, (writer) =>
        writer.text(path).bool(watcher !== undefined),
      );
    } catch (error) {
      // `exists` leaves a watch behind also where there is nothing.
      const isWatched = operation === 'exists' && hasReason(error, 'NO_NODE');
      if (watcher !== undefined && !isWatched) this.#watches.remove(path, watcher);
      throw error;
    }
  }

  /** For what changes nothing: after a lost connection it is asked again. */
  async #repeat(
    operation: keyof typeof OPERATIONS,
    path: string,
    body: (writer: JuteWriter) => void,
  ): Promise<JuteReader> {
    const deadlineMs = this.#newDeadlineMs();
    for (;;) {
      try {
        return await this.#call(operation, path, body, deadlineMs);
      } catch (error) {
        if (!hasReason(error, 'CONNECTION_LOSS')) throw error;
      }
    }
  }

  async #call(
    operation: keyof typeof OPERATIONS,
    path: string,
    body: (writer: JuteWriter) => void,
    deadlineMs = this.#newDeadlineMs(),
  ): Promise<JuteReader> {
    const what = `${operation} ${path}`;
    const { clock } = this.#options;
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const timer = clock.after(deadlineMs - clock.monotonicMs(), () =>
      reject(new ZooKeeperError('DEADLINE', `${what} was not answered in time`)),
    );
    try {
      if (this.#end !== undefined) throw this.#end;
      const connection = await Promise.race([this.#connected.promise, expired]);
      return await Promise.race([connection.request(operation, what, body), expired]);
    } finally {
      timer.cancel();
    }
  }

  #newDeadlineMs(): number {
    return this.#options.clock.monotonicMs() + this.#options.sessionTimeoutMs;
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const error = await this.#connectToNext();
      if (this.#end !== undefined) return;
      if (error.reason === 'AUTH_FAILED') this.#finish(error);
      await sleep(this.#options.clock, this.#backoff.nextMs(), signal).catch(() => undefined);
    }
  }

  async #connectToNext(): Promise<ZooKeeperError> {
    let server: Server | undefined;
    let error: ZooKeeperError;
    try {
      server = await this.#addresses.next();
      if (this.#end !== undefined) return this.#end;
      error = await this.#connectTo(server);
    } catch (cause) {
      if (!(cause instanceof ZooKeeperError)) throw cause;
      error = cause;
    }
    this.#options.logger.warn(
      { server: server && `${server.host}:${server.port}`, why: error.message },
      'no connection to ZooKeeper; trying again',
    );
    return error;
  }

  /** Resolves when the connection is over. */
  #connectTo(server: Server): Promise<ZooKeeperError> {
    const { clock, sessionTimeoutMs, credential, dial = dialTcp } = this.#options;
    const { promise, resolve } = Promise.withResolvers<ZooKeeperError>();
    const connection: Connection = new Connection(dial(server), clock, {
      onAnswer: (sentAtMs) => this.#confirm(sentAtMs),
      onNotification: (path) => this.#watches.fire(path),
      onClosed: (error) => {
        pulse?.cancel();
        this.#lastZxid = max(this.#lastZxid, connection.lastZxid);
        this.#disconnected(connection);
        resolve(error);
      },
    });
    // Time to try others within the session's timeout.
    let pulse: Timer | undefined = clock.after(sessionTimeoutMs / 3, () =>
      connection.close(lost('the server did not answer in time')),
    );
    const beat = (intervalMs: number): void => {
      pulse = clock.after(intervalMs, () => {
        if (clock.monotonicMs() - connection.lastHeardMs >= 2 * intervalMs) {
          connection.close(lost('the server fell silent'));
          return;
        }
        connection.ping();
        beat(intervalMs);
      });
    };
    const sentAtMs = clock.monotonicMs();
    const { sessionId = 0n, password = Buffer.alloc(16) } = this.#grant ?? {};
    const claim = { sessionId, password, timeoutMs: sessionTimeoutMs, lastZxid: this.#lastZxid };
    connection.handshake(claim, (grant) => {
      pulse?.cancel();
      if (grant.timeoutMs <= 0) {
        this.#finish(expiredError('the server has ended the session'));
        return;
      }
      this.#grant = grant;
      this.#confirm(sentAtMs);
      beat(grant.timeoutMs / 3);
      if (credential !== undefined) connection.authenticate(credential);
      this.#isConnectedTo(connection);
    });
    this.#attempt = connection;
    return promise;
  }

  #isConnectedTo(connection: Connection): void {
    this.#connection = connection;
    this.#backoff.reset();
    this.#connected.resolve(connection);
    // What was watched may have changed meanwhile; the server knows of no watches here.
    this.#watches.fireAll();
  }

  #disconnected(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#addresses.startOver();
    this.#connected = Promise.withResolvers<Connection>();
    this.#connected.promise.catch(() => undefined);
    if (this.#end !== undefined) this.#connected.reject(this.#end);
  }

  /** The server has heard something that was sent at `sentAtMs`: from then on the timeout counts. */
  #confirm(sentAtMs: number): void {
    const { clock } = this.#options;
    const timeoutMs = (this.#grant?.timeoutMs ?? 0) * TRUSTED_SHARE;
    const untilMs = sentAtMs + timeoutMs;
    if (untilMs < this.#validUntilMs && this.#validUntilMs !== Number.POSITIVE_INFINITY) return;
    this.#validUntilMs = untilMs;
    this.#expiryTimer?.cancel();
    this.#expiryTimer = clock.after(untilMs - clock.monotonicMs(), () =>
      this.#finish(expiredError(`no server answered for ${timeoutMs} ms`)),
    );
  }

  #finish(error: ZooKeeperError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#expiryTimer?.cancel();
    this.#watches.clear();
    this.#stopping.abort(error);
    this.#attempt?.close(error);
    this.#connected.reject(error);
    this.#resolveEnded(error);
  }
}

function expiredError(why: string): ZooKeeperError {
  return new ZooKeeperError('SESSION_EXPIRED', `the session has expired: ${why}`);
}

function dialTcp(server: { readonly host: string; readonly port: number }): Duplex {
  return connect({ ...server, noDelay: true });
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
