import { type Clock, DeadlineExceededError, type HttpStream, withDeadline } from '@factory/runtime';
import {
  decodeMessage,
  type Encoding,
  encodingOf,
  type MessageTypes,
  readRecords,
} from '../protocol/index.ts';
import { type CallName, type Endpoint, refusal, requestOf } from './endpoint.ts';
import { SilentStreamError } from './errors.ts';

/** Names of the messages that streams carry. */
export type EventName = 'scheduler.Event' | 'executor.Event' | 'master.Event';

const REFUSAL_BYTES_MAX = 4096;

/** A SUBSCRIBE that was answered with 200: RecordIO events until somebody ends it. */
export class EventStream<N extends EventName> {
  /** To be sent with every call that belongs to this subscription. Executors get none. */
  readonly streamId: string | undefined;
  readonly #name: N;
  readonly #encoding: Encoding;
  readonly #clock: Clock;
  readonly #stream: HttpStream;
  #silenceMaxMs: number;

  constructor(
    name: N,
    stream: HttpStream,
    options: {
      readonly clock: Clock;
      readonly encoding: Encoding;
      readonly silenceMaxMs: number;
    },
  ) {
    this.streamId = stream.headers['mesos-stream-id'];
    this.#name = name;
    this.#stream = stream;
    this.#clock = options.clock;
    this.#encoding = options.encoding;
    this.#silenceMaxMs = options.silenceMaxMs;
  }

  /** From now on the stream counts as dead after so long without an event. */
  allowSilence(silenceMaxMs: number): void {
    this.#silenceMaxMs = silenceMaxMs;
  }

  /** Ends the stream; the loop over `events` ends too. */
  close(): void {
    this.#stream.close();
  }

  /**
   * The events in order. Only waiting for the peer counts as silence, not the reader's own work.
   * @throws SilentStreamError, CodecError, RecordIoError, HttpTransportError.
   */
  async *events(): AsyncGenerator<MessageTypes[N]> {
    const records = readRecords(this.#stream.body);
    try {
      for (;;) {
        const next = await this.#next(records);
        if (next.done === true) return;
        yield decodeMessage(this.#name, this.#encoding, next.value);
      }
    } finally {
      this.#stream.close();
    }
  }

  async #next(records: AsyncGenerator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    if (this.#silenceMaxMs === Number.POSITIVE_INFINITY) return records.next();
    try {
      return await withDeadline(this.#clock, 'an event', this.#silenceMaxMs, () => records.next());
    } catch (error) {
      if (!(error instanceof DeadlineExceededError)) throw error;
      throw new SilentStreamError(this.#silenceMaxMs);
    }
  }
}

/**
 * Sends a SUBSCRIBE and opens the stream of events it is answered with. `timeoutMs` bounds the time
 * to the headers, and then to each event until `allowSilence` says otherwise.
 * @throws CallRefusedError when the answer is not 200; HttpTransportError when there is none.
 */
export async function openEventStream<C extends CallName, N extends EventName>(
  endpoint: Endpoint,
  clock: Clock,
  names: { readonly call: C; readonly event: N },
  subscribe: MessageTypes[C],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<EventStream<N>> {
  const request = requestOf(endpoint, names.call, subscribe, options);
  const stream = await endpoint.transport.stream(request);
  if (stream.status !== 200) {
    const body = await withDeadline(clock, 'the refusal', options.timeoutMs, () =>
      readStart(stream),
    ).finally(() => stream.close());
    throw refusal('SUBSCRIBE', stream.status, stream.headers, body);
  }
  return new EventStream(names.event, stream, {
    clock,
    encoding: encodingOf(stream.headers['content-type'] ?? '') ?? endpoint.encoding,
    silenceMaxMs: options.timeoutMs,
  });
}

async function readStart(stream: HttpStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream.body) {
    size += chunk.length;
    chunks.push(chunk);
    if (size >= REFUSAL_BYTES_MAX) break;
  }
  return Buffer.concat(chunks);
}
