import { type IncomingMessage, request } from 'node:http';
import { systemClock } from '@factory/runtime';

/** What came back for one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** One request, as it goes over the wire. */
export interface RawRequest {
  readonly method?: string;
  /** Absolute. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

const TIMEOUT_MS = 20_000;

/** Makes a request and reads its whole answer. */
export async function ask(raw: RawRequest): Promise<Answer> {
  const response = await open(raw);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const { statusCode = 0, headers } = response;
  return { status: statusCode, headers, body: Buffer.concat(chunks) };
}

/** Makes a request; the answer's body is still to be read. */
export function open(raw: RawRequest): Promise<IncomingMessage> {
  const { method = 'POST', url, headers = {}, body } = raw;
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const outgoing = request(url, { method, headers: { ...length, ...headers }, agent: false });
    const timer = systemClock.after(TIMEOUT_MS, () => {
      outgoing.destroy(new Error(`${url}: no answer within ${TIMEOUT_MS} ms`));
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      timer.cancel();
      resolve(response);
    });
    outgoing.end(body);
  });
}

/** The records of a RecordIO stream: each is its length in decimal, a line feed, and its bytes. */
export async function* records(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let buffered = Buffer.alloc(0);
  for await (const chunk of stream) {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const lineEnd = buffered.indexOf(0x0a);
      if (lineEnd < 0) break;
      const length = Number(buffered.toString('latin1', 0, lineEnd));
      if (!Number.isInteger(length)) throw new Error('the stream is no RecordIO');
      if (buffered.length < lineEnd + 1 + length) break;
      yield buffered.subarray(lineEnd + 1, lineEnd + 1 + length);
      buffered = buffered.subarray(lineEnd + 1 + length);
    }
  }
}
