import type { Principal } from '../security/index.ts';
import type { EventBody } from './event-sink.ts';

/** What such an API asks of a request's head. */
export interface ApiCallHead {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly streamId: string | undefined;
}

/** A call of an API that is nothing but POSTs to one path. */
export interface ApiCall {
  readonly head: ApiCallHead;
  readonly body: Uint8Array;
  /** Who calls; `undefined` where nobody is asked. */
  readonly caller: Principal | undefined;
  /** Where the call comes from. */
  readonly ip: () => string;
}

/** What such a call is answered with, when nothing is wrong with it. */
export type ApiAnswer =
  | { readonly type: 'empty'; readonly status: 200 | 202 }
  | {
      readonly type: 'stream';
      readonly id: string;
      readonly contentType: string;
      readonly body: EventBody;
    };

/** Answers calls; throws, or rejects with, what is answered as an error. */
export type ApiHandler = (call: ApiCall) => ApiAnswer | Promise<ApiAnswer>;

export const ACCEPTED: ApiAnswer = { type: 'empty', status: 202 };
export const OK: ApiAnswer = { type: 'empty', status: 200 };
