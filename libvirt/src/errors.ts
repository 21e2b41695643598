import { ERROR_DOMAINS, ERROR_NAMES } from './error-names.ts';
import type { CloseReason } from './types.ts';

/** libvirt's name for an error; `UNKNOWN` for a number of a newer libvirt. */
export type LibvirtErrorCode = (typeof ERROR_NAMES)[keyof typeof ERROR_NAMES] | 'UNKNOWN';

const CODES: ReadonlyMap<number, LibvirtErrorCode> = new Map(
  Object.entries(ERROR_NAMES).map(([number, name]) => [Number(number), name]),
);

/** How bad libvirt says it is. */
export type LibvirtErrorLevel = 'none' | 'warning' | 'error';

/** libvirt answered a call, or ended a stream, with an error. */
export class LibvirtError extends Error {
  /** libvirt's name, e.g. `NO_DOMAIN`. */
  readonly code: LibvirtErrorCode;
  /** libvirt's number, e.g. 42. */
  readonly number: number;
  /** The part of libvirt that speaks, e.g. `QEMU`. */
  readonly domain: string;
  readonly level: LibvirtErrorLevel;
  /** The procedure that was called, e.g. `domainLookupByName`. */
  readonly procedure: string;

  constructor(details: {
    readonly number: number;
    readonly domain: number;
    readonly level: number;
    readonly message: string;
    readonly procedure: string;
  }) {
    super(details.message);
    this.name = 'LibvirtError';
    this.number = details.number;
    this.code = CODES.get(details.number) ?? 'UNKNOWN';
    this.domain = ERROR_DOMAINS[details.domain] ?? `UNKNOWN_${details.domain}`;
    this.level = details.level === 0 ? 'none' : details.level === 1 ? 'warning' : 'error';
    this.procedure = details.procedure;
  }
}

/** A call had no answer in time. libvirt may still carry it out. */
export class LibvirtTimeoutError extends Error {
  readonly code = 'LIBVIRT_TIMEOUT';
  readonly procedure: string;
  readonly timeoutMs: number;
  /** `queued`: it was never sent. `sent`: libvirt may have done it, or may do it yet. */
  readonly stage: 'queued' | 'sent';

  constructor(procedure: string, timeoutMs: number, stage: 'queued' | 'sent') {
    super(
      stage === 'sent'
        ? `libvirt did not answer ${procedure} within ${timeoutMs} ms`
        : `${procedure} found no free place on the connection within ${timeoutMs} ms`,
    );
    this.name = 'LibvirtTimeoutError';
    this.procedure = procedure;
    this.timeoutMs = timeoutMs;
    this.stage = stage;
  }
}

/** There is no connection (any more). A call that was in flight may have been carried out. */
export class LibvirtDisconnectedError extends Error {
  readonly code = 'LIBVIRT_DISCONNECTED';
  readonly reason: CloseReason;

  constructor(reason: CloseReason) {
    super(`not connected to libvirt: ${reason.message}`, { cause: reason.cause });
    this.name = 'LibvirtDisconnectedError';
    this.reason = reason;
  }
}

/** Bytes that are not libvirt's protocol, or a value that does not fit it. */
export class LibvirtProtocolError extends Error {
  readonly code = 'LIBVIRT_PROTOCOL';

  constructor(message: string, cause?: Error) {
    super(message, { cause });
    this.name = 'LibvirtProtocolError';
  }
}

/** More calls wait for their turn than `maxQueuedCalls`; this one was not sent. */
export class LibvirtOverloadedError extends Error {
  readonly code = 'LIBVIRT_OVERLOADED';

  constructor(procedure: string, maxQueuedCalls: number) {
    super(`${procedure} refused: ${maxQueuedCalls} calls wait for their turn already`);
    this.name = 'LibvirtOverloadedError';
  }
}

/** libvirtd asks for an authentication that this client does not do. */
export class LibvirtAuthError extends Error {
  readonly code = 'LIBVIRT_AUTH';

  constructor(offered: readonly number[]) {
    super(
      `libvirtd asks for authentication (types ${offered.join(', ')}: 1 SASL, 2 polkit); ` +
        'connect as root, or set auth_unix_rw = "none" and guard the socket by its group',
    );
    this.name = 'LibvirtAuthError';
  }
}

/** A stream's reader was too slow: the stream was aborted rather than fill our memory. */
export class LibvirtStreamOverflowError extends Error {
  readonly code = 'LIBVIRT_STREAM_OVERFLOW';

  constructor(maxBufferedBytes: number) {
    super(`more than ${maxBufferedBytes} bytes of a libvirt stream were left unread`);
    this.name = 'LibvirtStreamOverflowError';
  }
}

/** A stream was used after its end. */
export class LibvirtStreamClosedError extends Error {
  readonly code = 'LIBVIRT_STREAM_CLOSED';

  constructor() {
    super('the libvirt stream has ended');
    this.name = 'LibvirtStreamClosedError';
  }
}

/** Whether `error` is libvirt's own error of that name: `isLibvirtError(error, 'NO_DOMAIN')`. */
export function isLibvirtError(error: unknown, code?: LibvirtErrorCode): error is LibvirtError {
  return error instanceof LibvirtError && (code === undefined || error.code === code);
}
