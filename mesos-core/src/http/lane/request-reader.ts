import type { Principal } from '../../security/index.ts';
import type { PlainHead, PlainHeads } from './request-head.ts';

/** That somebody may call, and who it is where callers are asked. */
export interface Admission {
  readonly caller: Principal | undefined;
}

/** A request that the lane can answer. */
export interface PlainRequest {
  readonly head: PlainHead;
  readonly admission: Admission;
  readonly body: Buffer;
}

/** What has come of a connection's bytes so far. */
export type Reading =
  | { readonly type: 'incomplete' }
  | { readonly type: 'request'; readonly request: PlainRequest }
  /** From here on the bytes are for another server; {@link RequestReader.rest} has them. */
  | { readonly type: 'other' };

const HEAD_END = Buffer.from('\r\n\r\n');
/** A longer head is not plain. */
const HEAD_BYTES_MAX = 8 * 1024;
/** How every plain request begins. */
const BEGINNING = Buffer.from('POST /');
const NOTHING = Buffer.alloc(0);
const INCOMPLETE: Reading = { type: 'incomplete' };
const OTHER: Reading = { type: 'other' };

/** Finds the requests in the bytes of one connection. */
export class RequestReader {
  readonly #heads: PlainHeads;
  readonly #admit: (head: PlainHead) => Admission | undefined;
  #received: Buffer = NOTHING;
  /** What came after `#received`, while the body of a request is not whole. */
  #more: Buffer[] = [];
  #moreBytes = 0;
  #begun: Omit<PlainRequest, 'body'> | undefined;

  /**
   * @param heads shared by the connections of a server.
   * @param admit asked with the head of every plain request, before its body is waited for;
   *   `undefined`: it is for another server.
   */
  constructor(heads: PlainHeads, admit: (head: PlainHead) => Admission | undefined) {
    this.#heads = heads;
    this.#admit = admit;
  }

  /** Adds bytes that have come. */
  push(bytes: Buffer): void {
    if (this.#received.length === 0) {
      this.#received = bytes;
      return;
    }
    this.#more.push(bytes);
    this.#moreBytes += bytes.length;
  }

  /** Whether some of a request has come, and some of it not. */
  get isWithin(): boolean {
    return this.#received.length > 0 || this.#begun !== undefined;
  }

  /** The next request; call it again until it says `incomplete` or `other`. */
  next(): Reading {
    if (!this.isWithin) return INCOMPLETE;
    this.#begun ??= this.#begin();
    if (this.#begun === undefined) return this.#isHeadToCome() ? INCOMPLETE : OTHER;
    const { bodyBytes } = this.#begun.head;
    if (this.#received.length + this.#moreBytes < bodyBytes) return INCOMPLETE;
    this.#join();
    const request = { ...this.#begun, body: this.#received.subarray(0, bodyBytes) };
    this.#begun = undefined;
    this.#skip(bodyBytes);
    return { type: 'request', request };
  }

  /** All bytes from the beginning of the request that was not for the lane. */
  rest(): Buffer {
    this.#join();
    return this.#received;
  }

  #begin(): Omit<PlainRequest, 'body'> | undefined {
    this.#join();
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0 || end > HEAD_BYTES_MAX) return undefined;
    const head = this.#heads.read(this.#received.toString('latin1', 0, end + 2));
    const admission = head && this.#admit(head);
    if (head === undefined || admission === undefined) return undefined;
    this.#skip(end + HEAD_END.length);
    return { head, admission };
  }

  #skip(bytes: number): void {
    // An empty view would keep all that was received in memory as long as the connection lasts.
    const isAll = bytes === this.#received.length;
    this.#received = isAll ? NOTHING : this.#received.subarray(bytes);
  }

  /** Whether what has come may still become the head of a plain request. */
  #isHeadToCome(): boolean {
    const bytes = this.#received;
    const begun = Math.min(bytes.length, BEGINNING.length);
    if (bytes.compare(BEGINNING, 0, begun, 0, begun) !== 0) return false;
    return bytes.length <= HEAD_BYTES_MAX && !bytes.includes(HEAD_END);
  }

  #join(): void {
    if (this.#moreBytes === 0) return;
    this.#received = Buffer.concat([this.#received, ...this.#more]);
    this.#more = [];
    this.#moreBytes = 0;
  }
}
