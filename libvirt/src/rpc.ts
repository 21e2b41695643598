import type { ArgsOf, ResultOf } from './procedures/shapes.ts';
import type { PROCEDURES, ProcedureName } from './procedures.ts';
import type { CallOptions, LibvirtStream } from './types.ts';

type Table = typeof PROCEDURES;

/** What a procedure of that name takes. */
export type ArgsFor<N extends ProcedureName> = ArgsOf<Table[N]>;
/** What a procedure of that name gives. */
export type ResultFor<N extends ProcedureName> = ResultOf<Table[N]>;

/** Options of a call that opens a stream. */
export interface StreamOptions extends CallOptions {
  /** Unread bytes we keep before the stream is aborted. */
  readonly maxBufferedBytes: number;
  /** The stream fails with LibvirtTimeoutError when it has not ended by then; default: no limit. */
  readonly lifetimeMs?: number;
}

/** A stream, and what the call that opened it gave. */
export interface OpenedStream<Result> {
  readonly result: Result;
  readonly stream: LibvirtStream;
}

/**
 * Calls by name, as the table in `procedures.ts` types them. What stands on it (domains, networks,
 * host) is plain translation, so it works the same on one connection and on a reconnecting one.
 */
export interface Rpc {
  /** @throws LibvirtError, LibvirtTimeoutError, LibvirtDisconnectedError, LibvirtProtocolError. */
  call<N extends ProcedureName>(
    name: N,
    args: ArgsFor<N>,
    options?: CallOptions,
  ): Promise<ResultFor<N>>;
  /** Calls, and gives the stream that libvirt opens with its answer. @throws as `call` does. */
  openStream<N extends ProcedureName>(
    name: N,
    args: ArgsFor<N>,
    options: StreamOptions,
  ): Promise<OpenedStream<ResultFor<N>>>;
}
