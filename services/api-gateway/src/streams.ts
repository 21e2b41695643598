import { once } from 'node:events';
import { PROBLEMS } from '@factory/contracts';
import { type Clock, type HttpStream, HttpTransportError, ProblemError } from '@factory/runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiKey } from './key-directory.ts';
import { HOP_HEADERS, headersAs, type ProxyTarget, targetUrl } from './proxy.ts';

/** What is sent on as it comes: it may be long, or never end. */
export const STREAM_PATHS = ['/v1/events/stream', '/v1/usage/records'] as const;

/** Until the first byte of the answer. */
const ANSWER_TIMEOUT_MS = 60_000;
/** How often it is asked whether the key still is good. */
const KEY_CHECK_MS = 5_000;
/** An api-server that is silent for longer than its heartbeats is gone. */
const SILENCE_MS = 60_000;
/** Of one key, at one gateway. */
const STREAMS_MAX = 32;
/** An answer that is no stream, as a problem is. */
const PLAIN_BYTES_MAX = 1024 * 1024;

/** Sends on answers that are streams, without holding more of them than one part. */
export class Streams {
  readonly #clock: Clock;
  readonly #target: ProxyTarget;
  readonly #findKey: (keyId: string) => Promise<ApiKey | undefined>;
  readonly #open = new Map<string, number>();

  /** `findKey` gives `undefined` for a key that is revoked, and throws when it can't be asked. */
  constructor(
    clock: Clock,
    target: ProxyTarget,
    findKey: (keyId: string) => Promise<ApiKey | undefined>,
  ) {
    this.#clock = clock;
    this.#target = target;
    this.#findKey = findKey;
  }

  /** Ends with either side, and when the key is revoked. @throws ProblemError before it begins. */
  async forward(key: ApiKey, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const open = this.#open.get(key.keyId) ?? 0;
    if (open >= STREAMS_MAX) {
      const detail = `This key follows ${STREAMS_MAX} streams already; end one of them.`;
      throw new ProblemError(PROBLEMS.rateLimited, detail, { extra: { retryAfterSeconds: 5 } });
    }
    this.#open.set(key.keyId, open + 1);
    try {
      return await this.#forward(key, request, reply);
    } finally {
      const left = (this.#open.get(key.keyId) ?? 1) - 1;
      if (left > 0) this.#open.set(key.keyId, left);
      else this.#open.delete(key.keyId);
    }
  }

  async #forward(key: ApiKey, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort(new Error('the caller has gone away')));
    const stream = await this.#ask(key, request, gone.signal);
    const headers = Object.entries(stream.headers).filter(([name]) => !HOP_HEADERS.has(name));
    if (stream.status !== 200) {
      return reply
        .headers(Object.fromEntries(headers))
        .status(stream.status)
        .send(await readPlain(stream));
    }
    reply.hijack();
    // Proxies in front of us, such as nginx, are not to gather it either.
    headers.push(['x-accel-buffering', 'no'], ['x-request-id', request.id]);
    reply.raw.writeHead(200, Object.fromEntries(headers));
    await this.#pass(key, stream, reply.raw, gone.signal);
    return reply;
  }

  async #ask(key: ApiKey, request: FastifyRequest, signal: AbortSignal): Promise<HttpStream> {
    try {
      return await this.#target.transport.stream({
        method: 'GET',
        url: targetUrl(this.#target, request.url),
        headers: { ...headersAs(key, this.#target, request), 'x-request-id': request.id },
        timeoutMs: ANSWER_TIMEOUT_MS,
        signal,
      });
    } catch (error) {
      if (!(error instanceof HttpTransportError)) throw error;
      const detail = 'The API server does not answer. It is being restarted, or try again shortly.';
      throw new ProblemError(PROBLEMS.notReady, detail, { cause: error });
    }
  }

  async #pass(
    key: ApiKey,
    stream: HttpStream,
    raw: FastifyReply['raw'],
    signal: AbortSignal,
  ): Promise<void> {
    const end = (): void => stream.close();
    signal.addEventListener('abort', end, { once: true });
    raw.on('error', end);
    const isOver = { value: false };
    this.#watchKey(key, isOver, end);
    let silence = this.#clock.after(SILENCE_MS, end);
    let isWhole = false;
    try {
      for await (const part of stream.body) {
        silence.cancel();
        silence = this.#clock.after(SILENCE_MS, end);
        if (!raw.write(part) && !signal.aborted) await once(raw, 'drain', { signal });
      }
      isWhole = !isOver.value && !signal.aborted;
    } catch {
      // Broken off on one side: the other one sees it by the missing end.
    } finally {
      isOver.value = true;
      silence.cancel();
      end();
      signal.removeEventListener('abort', end);
      if (isWhole) raw.end();
      else raw.destroy();
    }
  }

  #watchKey(key: ApiKey, isOver: { value: boolean }, end: () => void): void {
    this.#clock.after(KEY_CHECK_MS, () => {
      if (isOver.value) return;
      this.#findKey(key.keyId).then(
        (found) => {
          if (found === undefined) {
            isOver.value = true;
            end();
          } else this.#watchKey(key, isOver, end);
        },
        // Nobody can be asked just now: a stream that runs goes on.
        () => this.#watchKey(key, isOver, end),
      );
    });
  }
}

async function readPlain(stream: HttpStream): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream.body) {
    size += part.byteLength;
    if (size > PLAIN_BYTES_MAX) stream.close();
    else parts.push(part);
  }
  return Buffer.concat(parts);
}
