import type { Clock, HttpTransport } from '@factory/runtime';
import {
  type AgentApiCall,
  type AgentApiResponse,
  CodecError,
  decodeMessage,
  type Encoding,
  encodingOf,
  type MasterCall,
  type MasterEvent,
  type MasterResponse,
} from '../protocol/index.ts';
import { type Credential, type Endpoint, post } from './endpoint.ts';
import { CallRefusedError } from './errors.ts';
import { openEventStream } from './event-stream.ts';

export interface OperatorClientOptions {
  readonly transport: HttpTransport;
  readonly clock: Clock;
  /** Of the master or agent: `http://host:5050`. */
  readonly url: string;
  /** Default `protobuf`, the faster one. */
  readonly encoding?: Encoding;
  readonly credential?: Credential;
  /** Deadline of each call, default 10 s. */
  readonly callTimeoutMs?: number;
}

/** The response to a call of one type; undefined for calls that only do something. */
type ResponseTo<
  Call extends { type: string },
  Response extends { type: string },
> = Call['type'] extends Response['type'] ? Extract<Response, { type: Call['type'] }> : undefined;

/** A standby points to the leader; two standbys must not point to each other without end. */
const REDIRECTS_MAX = 3;

/** Heartbeats of the master's event stream that may fail to come before it counts as dead. */
const HEARTBEATS_MISSED_MAX = 3;
const HEARTBEAT_INTERVAL_SECONDS = 15;

/** The v1 operator API of masters. Calls are passed on to the leader. */
export class MasterOperatorClient {
  readonly #options: OperatorClientOptions;
  #url: string;

  constructor(options: OperatorClientOptions) {
    this.#options = options;
    this.#url = new URL(options.url).origin;
  }

  /**
   * Makes a call and gives its response, of the type that belongs to the call's.
   * @throws CallRefusedError, HttpTransportError, CodecError.
   */
  async call<C extends MasterCall>(call: C): Promise<ResponseTo<C, MasterResponse>> {
    const { callTimeoutMs = 10_000 } = this.#options;
    const response = await this.#atLeader((endpoint) =>
      post(endpoint, 'master.Call', call, { timeoutMs: callTimeoutMs }),
    );
    const answer = decodeAnswer('master.Response', response);
    return expectType(call.type, answer) as ResponseTo<C, MasterResponse>;
  }

  /**
   * The master's events: SUBSCRIBED with the whole state first, then each change. Ends with the
   * master's stream, or when `signal` aborts; the caller subscribes again.
   * @throws SilentStreamError when heartbeats stop; CallRefusedError, HttpTransportError,
   * CodecError.
   */
  async *subscribe(signal: AbortSignal): AsyncGenerator<MasterEvent> {
    const { clock, callTimeoutMs = 10_000 } = this.#options;
    const names = { call: 'master.Call', event: 'master.Event' } as const;
    const stream = await this.#atLeader((endpoint) =>
      openEventStream(
        endpoint,
        clock,
        names,
        { type: 'SUBSCRIBE' },
        {
          timeoutMs: callTimeoutMs,
          signal,
        },
      ),
    );
    for await (const event of stream.events()) {
      if (signal.aborted) return;
      if (event.type === 'SUBSCRIBED') {
        const { heartbeat_interval_seconds: seconds } = event.subscribed;
        const intervalMs = (seconds ?? HEARTBEAT_INTERVAL_SECONDS) * 1000;
        stream.allowSilence(intervalMs * (HEARTBEATS_MISSED_MAX + 1));
      }
      yield event;
    }
  }

  async #atLeader<T>(attempt: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    for (let redirects = 0; ; redirects += 1) {
      try {
        return await attempt(endpointOf(this.#options, this.#url));
      } catch (error) {
        const isRedirect = error instanceof CallRefusedError && error.status === 307;
        if (!isRedirect || redirects >= REDIRECTS_MAX) throw error;
        if (!URL.canParse(error.location ?? '', this.#url)) throw error;
        this.#url = new URL(error.location ?? '', this.#url).origin;
      }
    }
  }
}

/** The v1 operator API of an agent. */
export class AgentOperatorClient {
  readonly #options: OperatorClientOptions;

  constructor(options: OperatorClientOptions) {
    this.#options = options;
  }

  /**
   * Makes a call and gives its response, of the type that belongs to the call's.
   * @throws CallRefusedError, HttpTransportError, CodecError.
   */
  async call<C extends AgentApiCall>(call: C): Promise<ResponseTo<C, AgentApiResponse>> {
    const { url, callTimeoutMs = 10_000 } = this.#options;
    const endpoint = endpointOf(this.#options, new URL(url).origin);
    const response = await post(endpoint, 'agent.Call', call, { timeoutMs: callTimeoutMs });
    const answer = decodeAnswer('agent.Response', response);
    return expectType(call.type, answer) as ResponseTo<C, AgentApiResponse>;
  }
}

function endpointOf(options: OperatorClientOptions, origin: string): Endpoint {
  return {
    transport: options.transport,
    url: `${origin}/api/v1`,
    encoding: options.encoding ?? 'protobuf',
    credential: options.credential,
  };
}

function decodeAnswer<N extends 'master.Response' | 'agent.Response'>(
  name: N,
  response: { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array },
) {
  if (response.body.length === 0) return undefined;
  const encoding = encodingOf(response.headers['content-type'] ?? '') ?? 'json';
  return decodeMessage(name, encoding, response.body);
}

function expectType<R extends { readonly type: string }>(type: string, answer: R | undefined) {
  if (answer === undefined || answer.type === type) return answer;
  throw new CodecError(`Expecting a response of type ${type}, not of ${answer.type}`);
}
