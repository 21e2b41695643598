import type { ServerResponse } from 'node:http';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import {
  decodeMessage,
  type Encoding,
  encodeMessage,
  encodeRecord,
  MEDIA_TYPES,
  type MessageTypes,
  requestEncoding,
  responseEncoding,
} from '../protocol/index.ts';
import type { CallName } from './endpoint.ts';
import type { EventName } from './event-stream.ts';

/** What a fake peer answers instead of what it does by itself. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

interface OpenStream {
  readonly raw: ServerResponse;
  readonly encoding: Encoding;
}

/**
 * The server side of one API for the clients' tests: keeps the calls it gets, answers SUBSCRIBE
 * with a stream that the test writes to and everything else with 202, unless told otherwise.
 */
export class FakePeer<C extends CallName, E extends EventName> {
  readonly app: FastifyInstance = fastify();
  readonly calls: MessageTypes[C][] = [];
  readonly headers: Readonly<Record<string, unknown>>[] = [];
  /** Asked for each call; undefined means the usual. */
  answer: (call: MessageTypes[C]) => Answer | undefined = () => undefined;
  readonly #event: E;
  #streams: OpenStream[] = [];

  constructor(path: string, names: { readonly call: C; readonly event: E }) {
    this.#event = names.event;
    this.app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body);
    });
    this.app.removeContentTypeParser('application/json');
    this.app.post<{ Body: Buffer }>(path, (request, reply) => {
      const encoding = requestEncoding(request.headers['content-type']);
      const call = decodeMessage(names.call, encoding, request.body);
      this.calls.push(call);
      this.headers.push(request.headers);
      this.#reply(call, responseEncoding(request.headers.accept), reply);
    });
  }

  /** The calls of one type. */
  callsOf(type: MessageTypes[C]['type']): readonly MessageTypes[C][] {
    return this.calls.filter((call) => call.type === type);
  }

  /** Number of streams that this side has not ended. */
  get openStreams(): number {
    return this.#streams.length;
  }

  /** Writes events to the newest stream. */
  send(...events: readonly MessageTypes[E][]): void {
    const stream = this.#streams.at(-1);
    if (stream === undefined) throw new Error('Nobody has subscribed');
    for (const event of events) {
      stream.raw.write(encodeRecord(encodeMessage(this.#event, stream.encoding, event)));
    }
  }

  /** Writes bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    this.#streams.at(-1)?.raw.write(bytes);
  }

  /** Ends all streams, as a peer that goes down. */
  endStreams(): void {
    for (const { raw } of this.#streams) raw.end();
    this.#streams = [];
  }

  #reply(call: MessageTypes[C], encoding: Encoding, reply: FastifyReply): void {
    const answer = this.answer(call);
    if (answer !== undefined) {
      reply
        .code(answer.status)
        .headers({ ...answer.headers })
        .send(answer.body ?? '');
    } else if (call.type === 'SUBSCRIBE') {
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': MEDIA_TYPES[encoding],
        'mesos-stream-id': `stream-${this.callsOf('SUBSCRIBE').length}`,
      });
      reply.raw.flushHeaders();
      this.#streams.push({ raw: reply.raw, encoding });
    } else {
      reply.code(202).send();
    }
  }
}
