import type { Duplex } from 'node:stream';
import type { Clock } from '@factory/runtime';
import { replyError, ZooKeeperError } from './errors.ts';
import { FrameReader, JuteReader, JuteWriter } from './jute.ts';
import { OPERATIONS, XIDS } from './protocol.ts';

/** What a client says of its session when it connects; zeros for a new one. */
export interface SessionClaim {
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly timeoutMs: number;
  readonly lastZxid: bigint;
}

/** What the server makes of it; a `timeoutMs` of 0 says that the session has expired. */
export interface SessionGrant {
  readonly sessionId: bigint;
  readonly password: Uint8Array;
  readonly timeoutMs: number;
}

export interface ConnectionEvents {
  /** The server has answered something that was sent at this monotonic time. */
  readonly onAnswer: (sentAtMs: number) => void;
  /** A watch fired. */
  readonly onNotification: (path: string) => void;
  /** Called once, whoever ended it. */
  readonly onClosed: (error: ZooKeeperError) => void;
}

interface Pending {
  readonly xid: number;
  readonly what: string;
  readonly sentAtMs: number;
  readonly resolve: (reader: JuteReader) => void;
  readonly reject: (error: ZooKeeperError) => void;
}

/** One connection to one server: framing, the order of answers, pings. Knows no session. */
export class Connection {
  readonly #duplex: Duplex;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #frames = new FrameReader();
  readonly #pending: Pending[] = [];
  readonly #pingsSentAtMs: number[] = [];
  #onGrant: ((grant: SessionGrant) => void) | undefined;
  #nextXid = 1;
  #error: ZooKeeperError | undefined;
  /** The newest transaction that this server has told of. */
  lastZxid = 0n;
  lastHeardMs: number;

  constructor(duplex: Duplex, clock: Clock, events: ConnectionEvents) {
    this.#duplex = duplex;
    this.#clock = clock;
    this.#events = events;
    this.lastHeardMs = clock.monotonicMs();
    duplex.on('data', (chunk: Buffer) => this.#onData(chunk));
    duplex.once('error', (cause: Error) =>
      this.close(new ZooKeeperError('CONNECTION_LOSS', cause.message, { cause })),
    );
    duplex.once('end', () => this.close(lost('the server closed the connection')));
    duplex.once('close', () => this.close(lost('the server closed the connection')));
  }

  /** The first thing to do. Resolves with the server's answer; when none comes, never. */
  handshake(claim: SessionClaim, onGrant: (grant: SessionGrant) => void): void {
    this.#onGrant = onGrant;
    const writer = new JuteWriter().int(0).long(claim.lastZxid).int(claim.timeoutMs);
    this.#write(writer.long(claim.sessionId).buffer(claim.password).bool(false));
  }

  /** Presents a credential; a refusal closes the connection with AUTH_FAILED. */
  authenticate(credential: string): void {
    const writer = new JuteWriter().int(XIDS.auth).int(OPERATIONS.auth);
    this.#write(writer.int(0).text('digest').buffer(Buffer.from(credential)));
  }

  ping(): void {
    this.#pingsSentAtMs.push(this.#clock.monotonicMs());
    this.#write(new JuteWriter().int(XIDS.ping).int(OPERATIONS.ping));
  }

  /**
   * Sends a request.
   * @param what names it in errors.
   * @throws ZooKeeperError for an answer that is no success; CONNECTION_LOSS when none can come.
   */
  request(
    operation: keyof typeof OPERATIONS,
    what: string,
    body: (writer: JuteWriter) => void,
  ): Promise<JuteReader> {
    const { promise, resolve, reject } = Promise.withResolvers<JuteReader>();
    if (this.#error !== undefined) {
      reject(this.#error);
      return promise;
    }
    const xid = this.#nextXid;
    this.#nextXid = xid === 0x7fffffff ? 1 : xid + 1;
    const sentAtMs = this.#clock.monotonicMs();
    this.#pending.push({ xid, what, sentAtMs, resolve, reject });
    const writer = new JuteWriter().int(xid).int(OPERATIONS[operation]);
    body(writer);
    this.#write(writer);
    return promise;
  }

  /** Ends it; everything that waits for an answer gets the error. */
  close(error: ZooKeeperError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#duplex.on('error', () => undefined); // its end is known
    this.#duplex.destroy();
    for (const { what, reject } of this.#pending.splice(0)) {
      reject(new ZooKeeperError(error.reason, `${what}: ${error.message}`, { cause: error }));
    }
    this.#events.onClosed(error);
  }

  #write(writer: JuteWriter): void {
    if (this.#error === undefined) this.#duplex.write(writer.frame());
  }

  #onData(chunk: Buffer): void {
    if (this.#error !== undefined) return;
    this.lastHeardMs = this.#clock.monotonicMs();
    try {
      for (const frame of this.#frames.push(chunk)) this.#onFrame(new JuteReader(frame));
    } catch (error) {
      if (!(error instanceof ZooKeeperError)) throw error;
      this.close(error);
    }
  }

  #onFrame(reader: JuteReader): void {
    if (this.#onGrant !== undefined) {
      const onGrant = this.#onGrant;
      this.#onGrant = undefined;
      reader.int(); // the protocol's version, always 0
      const timeoutMs = reader.int();
      onGrant({ timeoutMs, sessionId: reader.long(), password: reader.buffer() });
      return;
    }
    const xid = reader.int();
    const zxid = reader.long();
    const status = reader.int();
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    switch (xid) {
      case XIDS.notification:
        reader.int(); // which kind of change: watchers look again anyway
        reader.int();
        this.#events.onNotification(reader.text());
        return;
      case XIDS.ping:
        this.#events.onAnswer(this.#pingsSentAtMs.shift() ?? 0);
        return;
      case XIDS.auth:
        if (status !== 0) this.close(replyError(status, 'the credential'));
        return;
      default:
        this.#onAnswer(xid, status, reader);
    }
  }

  #onAnswer(xid: number, status: number, reader: JuteReader): void {
    const pending = this.#pending.shift();
    if (pending === undefined || pending.xid !== xid) {
      if (pending !== undefined) this.#pending.unshift(pending);
      throw new ZooKeeperError('BAD_RECORD', `an answer to request ${xid} out of order`);
    }
    this.#events.onAnswer(pending.sentAtMs);
    if (status === 0) pending.resolve(reader);
    else pending.reject(replyError(status, pending.what));
  }
}

/** The error of a connection that ended. */
export function lost(why: string): ZooKeeperError {
  return new ZooKeeperError('CONNECTION_LOSS', why);
}
