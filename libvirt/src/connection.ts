import type { Socket } from 'node:net';
import { type Clock, type Logger, silentLogger, withDeadline } from '@factory/runtime';
import { CallTable } from './calls.ts';
import {
  LibvirtAuthError,
  LibvirtDisconnectedError,
  LibvirtError,
  LibvirtProtocolError,
} from './errors.ts';
import { ConnectionEvents } from './events.ts';
import { encodeFrame, type Frame, FrameDecoder, MESSAGE_TYPE, PROGRAM, STATUS } from './frame.ts';
import { type Procedure, remoteError } from './procedures/shapes.ts';
import { PROCEDURES, type ProcedureName } from './procedures.ts';
import type { ArgsFor, OpenedStream, ResultFor, Rpc, StreamOptions } from './rpc.ts';
import { openSocket } from './socket.ts';
import { RpcStream } from './streams.ts';
import type { CallOptions, CloseReason, ConnectOptions } from './types.ts';
import { XdrReader, XdrWriter } from './xdr.ts';

const DEFAULT_CALL_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_IN_FLIGHT_CALLS = 4;
const DEFAULT_MAX_QUEUED_CALLS = 10_000;
/** How long `close` waits for libvirtd's goodbye: a courtesy, so no longer. */
const GOODBYE_TIMEOUT_MS = 1_000;
/** REMOTE_AUTH_NONE. */
const AUTH_NONE = 0;
/** virkeepaliveprotocol.x. We never ask for it; but should a ping come, it is answered. */
const KEEPALIVE = { ping: 1, pong: 2 } as const;

const CLOSED_BY_US: CloseReason = { kind: 'closed', message: 'we closed the connection' };

/** Everything of a connection that is not the hypervisor's vocabulary. */
class Connection implements Rpc {
  readonly closed: Promise<CloseReason>;
  readonly events: ConnectionEvents;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #callTimeoutMs: number;
  readonly #calls: CallTable;
  readonly #decoder = new FrameDecoder();
  readonly #streams = new Map<number, RpcStream>();
  readonly #end = Promise.withResolvers<CloseReason>();
  #endedBy: CloseReason | undefined;
  #closing: Promise<void> | undefined;
  #lastSerial = 0;

  constructor(socket: Socket, options: ConnectOptions) {
    this.#socket = socket;
    this.#clock = options.clock;
    this.#logger = options.logger ?? silentLogger;
    this.#callTimeoutMs = options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    this.closed = this.#end.promise;
    this.events = new ConnectionEvents(this, this.#logger);
    this.#calls = new CallTable({
      clock: options.clock,
      maxInFlight: options.maxInFlightCalls ?? DEFAULT_MAX_IN_FLIGHT_CALLS,
      maxQueued: options.maxQueuedCalls ?? DEFAULT_MAX_QUEUED_CALLS,
      send: (bytes) => socket.write(bytes),
      onUnresponsive: () => {
        this.#terminate({ kind: 'unresponsive', message: 'every call in flight has timed out' });
      },
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (cause: Error) => {
      this.#terminate({ kind: 'disconnected', message: cause.message, cause });
    });
    socket.on('close', () => {
      this.#terminate({ kind: 'disconnected', message: 'libvirtd closed the connection' });
    });
  }

  /** Authenticates (as root there is nothing to do) and opens `uri`. */
  async open(uri: string): Promise<void> {
    // libvirtd counts us as unauthenticated until we have asked.
    const { types } = await this.call('authList', undefined);
    if (!types.includes(AUTH_NONE)) throw new LibvirtAuthError(types);
    await this.call('connectOpen', { uri, flags: 0 });
  }

  async call<N extends ProcedureName>(
    name: N,
    args: ArgsFor<N>,
    options: CallOptions = {},
  ): Promise<ResultFor<N>> {
    return this.#request(name, args, this.#nextSerial(), options);
  }

  async openStream<N extends ProcedureName>(
    name: N,
    args: ArgsFor<N>,
    options: StreamOptions,
  ): Promise<OpenedStream<ResultFor<N>>> {
    const serial = this.#nextSerial();
    const send = (status: number, payload: Uint8Array) =>
      this.#sendStream(PROCEDURES[name], serial, status, payload);
    const stream = new RpcStream({
      clock: this.#clock,
      name,
      lifetimeMs: options.lifetimeMs,
      maxBufferedBytes: options.maxBufferedBytes,
      closeTimeoutMs: this.#callTimeoutMs,
      send,
      onEnd: () => this.#streams.delete(serial),
    });
    // Data may follow in the chunk of the reply, so the stream is known before the call is sent.
    this.#streams.set(serial, stream);
    try {
      const result = await this.#request(name, args, serial, options, (reply) => {
        if (reply.status === STATUS.ok) send(STATUS.error, new Uint8Array()).catch(() => undefined);
      });
      return { result, stream };
    } catch (error) {
      stream.fail(error instanceof Error ? error : new LibvirtProtocolError(String(error)));
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#sayGoodbye();
    return this.#closing;
  }

  async #sayGoodbye(): Promise<void> {
    if (this.#endedBy !== undefined) return;
    const options = { timeoutMs: GOODBYE_TIMEOUT_MS };
    try {
      await withDeadline(this.#clock, 'closing libvirt', GOODBYE_TIMEOUT_MS, async () => {
        await this.events.unregister(options);
        await this.call('connectClose', undefined, options);
      });
    } catch (error) {
      // libvirtd cleans up after a client that vanishes just as well.
      this.#logger.debug({ err: error }, 'libvirt did not say goodbye');
    }
    this.#terminate(CLOSED_BY_US);
  }

  async #request<N extends ProcedureName>(
    name: N,
    args: ArgsFor<N>,
    serial: number,
    options: CallOptions,
    onLateReply: (reply: Frame) => void = () => undefined,
  ): Promise<ResultFor<N>> {
    // The row of that name has these types: TypeScript can't correlate them through the index.
    const row = PROCEDURES[name] as unknown as Procedure<ArgsFor<N>, ResultFor<N>>;
    const writer = new XdrWriter();
    row.args.encode(writer, args);
    const bytes = encodeFrame({
      program: row.program,
      procedure: row.number,
      type: MESSAGE_TYPE.call,
      serial,
      status: STATUS.ok,
      payload: writer.finish(),
    });
    const timeoutMs = options.timeoutMs ?? this.#callTimeoutMs;
    const reply = await this.#calls.request({ serial, name, bytes, timeoutMs, onLateReply });
    if (reply.status === STATUS.error) throw decodeError(reply.payload, name);
    const reader = new XdrReader(reply.payload);
    const result = row.result.decode(reader);
    reader.expectEnd();
    return result;
  }

  #nextSerial(): number {
    this.#lastSerial = this.#lastSerial === 0xffff_ffff ? 1 : this.#lastSerial + 1;
    return this.#lastSerial;
  }

  #sendStream(
    row: { readonly program: number; readonly number: number },
    serial: number,
    status: number,
    payload: Uint8Array,
  ): Promise<void> {
    if (this.#endedBy !== undefined) {
      return Promise.reject(new LibvirtDisconnectedError(this.#endedBy));
    }
    const type = MESSAGE_TYPE.stream;
    const { program, number: procedure } = row;
    const bytes = encodeFrame({ program, procedure, type, serial, status, payload });
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#dispatch(frame);
    } catch (error) {
      const cause = error instanceof Error ? error : new LibvirtProtocolError(String(error));
      this.#terminate({ kind: 'protocol', message: cause.message, cause });
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.program === PROGRAM.keepalive) {
      if (frame.procedure === KEEPALIVE.ping) {
        this.#socket.write(encodeFrame({ ...frame, procedure: KEEPALIVE.pong }));
      }
      return;
    }
    if (frame.program !== PROGRAM.remote && frame.program !== PROGRAM.qemu) {
      throw new LibvirtProtocolError(`a message of program 0x${frame.program.toString(16)}`);
    }
    switch (frame.type) {
      case MESSAGE_TYPE.reply:
        if (!this.#calls.settle(frame)) {
          this.#logger.warn({ serial: frame.serial }, 'libvirt answered a call nobody made');
        }
        return;
      case MESSAGE_TYPE.message:
        if (frame.program === PROGRAM.remote) this.events.receive(frame.procedure, frame.payload);
        return;
      case MESSAGE_TYPE.stream:
        this.#receiveStream(frame);
        return;
      default:
        throw new LibvirtProtocolError(`a message of type ${frame.type}`);
    }
  }

  /** A stream that is not known was aborted by us: what was under way for it is dropped. */
  #receiveStream(frame: Frame): void {
    const stream = this.#streams.get(frame.serial);
    if (frame.status === STATUS.error) stream?.fail(decodeError(frame.payload, 'stream'));
    else stream?.receive(frame.status, frame.payload);
  }

  #terminate(reason: CloseReason): void {
    if (this.#endedBy !== undefined) return;
    // After our goodbye libvirtd may be the first to close the socket.
    const expected = reason.kind === 'disconnected' && this.#closing !== undefined;
    this.#endedBy = expected ? CLOSED_BY_US : reason;
    const error = new LibvirtDisconnectedError(this.#endedBy);
    this.#calls.close(error);
    for (const stream of [...this.#streams.values()]) stream.fail(error);
    this.#socket.destroy();
    this.#end.resolve(this.#endedBy);
  }
}

/** @throws LibvirtProtocolError when the payload is no libvirt error. */
function decodeError(payload: Uint8Array, procedure: string): LibvirtError {
  const { code, domain, level, message } = remoteError.decode(new XdrReader(payload));
  const text = message ?? `libvirt error ${code}`;
  return new LibvirtError({ number: code, domain, level, message: text, procedure });
}

/** A connection as the parts of this package see it. */
export type OpenConnection = Pick<
  Connection,
  'call' | 'openStream' | 'events' | 'closed' | 'close'
>;

/**
 * A connection that is authenticated and has opened its URI. It is cut when `signal` aborts.
 * @throws as `connectLibvirt` does.
 */
export async function createConnection(
  options: ConnectOptions,
  signal?: AbortSignal,
): Promise<OpenConnection> {
  const { clock, socketPath } = options;
  const timeoutMs = options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
  const socket = await openSocket({ clock, timeoutMs, path: socketPath, signal });
  const connection = new Connection(socket, options);
  try {
    await connection.open(options.uri);
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}
