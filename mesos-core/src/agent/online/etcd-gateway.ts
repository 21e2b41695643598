import { type HttpRequest, type HttpTransport, HttpTransportError } from '@factory/runtime';

/** The keys below a prefix, at one moment. */
export interface EtcdSnapshot {
  /** Values by what follows the prefix. */
  readonly values: ReadonlyMap<string, string>;
  /** etcd's revision, a 64-bit number as text. */
  readonly revision: string;
}

/** A part of etcd's v3 API, as its JSON gateway has it (https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway). */
export interface EtcdGateway {
  /** @throws EtcdError, HttpTransportError. */
  read(): Promise<EtcdSnapshot>;
  /**
   * Resolves when anything below the prefix has changed after the revision; rejects when the watch
   * ends, or `signal` aborts.
   */
  waitForChange(afterRevision: string, signal: AbortSignal): Promise<void>;
}

/** etcd answered, but not as was expected. */
export class EtcdError extends Error {
  readonly code = 'MESOS_ERR_ETCD';
  constructor(message: string) {
    super(message);
    this.name = 'EtcdError';
  }
}

const CALL_TIMEOUT_MS = 5_000;
/** More keys than an agent can sensibly have attributes. */
const KEYS_MAX = 1_000;
/** Longest line of a watch: a revision's worth of events. */
const LINE_CHARS_MAX = 16 * 1024 * 1024;

/** @param url of etcd with the prefix as its path: `http://etcd:2379/mesos/host-1`. */
export function createEtcdGateway(transport: HttpTransport, url: string): EtcdGateway {
  const { origin, pathname } = new URL(url);
  const prefix = `${decodeURIComponent(pathname).replace(/\/+$/, '')}/`;
  const range = { key: base64(prefix), range_end: base64(endOf(prefix)) };
  const call = (path: string, body: object): HttpRequest => ({
    method: 'POST',
    url: origin + path,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs: CALL_TIMEOUT_MS,
  });
  return {
    async read() {
      const response = await transport.request(call('/v3/kv/range', { ...range, limit: KEYS_MAX }));
      const text = Buffer.from(response.body).toString('utf8');
      if (response.status !== 200) {
        throw new EtcdError(`etcd answered ${response.status}: ${text.slice(0, 200)}`);
      }
      return snapshotOf(text, prefix);
    },
    async waitForChange(afterRevision, signal) {
      const start_revision = String(BigInt(afterRevision) + 1n);
      const request = call('/v3/watch', { create_request: { ...range, start_revision } });
      const stream = await transport.stream({ ...request, signal });
      try {
        if (stream.status !== 200) throw new EtcdError(`etcd answered ${stream.status} to a watch`);
        for await (const line of linesOf(stream.body)) if (isChange(line)) return;
        throw new HttpTransportError(request.url, 'etcd ended the watch');
      } finally {
        stream.close();
      }
    },
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** The first key after all that begin with the prefix; it ends with `/`, so there is one. */
function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}${String.fromCharCode('/'.charCodeAt(0) + 1)}`;
}

function snapshotOf(text: string, prefix: string): EtcdSnapshot {
  const answer = parse(text);
  const { revision } = objectOf(answer.header);
  if (typeof revision !== 'string') throw new EtcdError('etcd named no revision');
  const pairs = Array.isArray(answer.kvs) ? answer.kvs : [];
  const values = pairs.map((pair: unknown) => {
    const { key, value } = objectOf(pair);
    return [textOf(key).slice(prefix.length), textOf(value)] as const;
  });
  return { values: new Map(values), revision };
}

/** An event, or the end of the watch because the revision is too old: both mean to read again. */
function isChange(line: string): boolean {
  const { error, result } = parse(line);
  if (error !== undefined) throw new EtcdError('etcd ended the watch with an error');
  const { events, canceled } = objectOf(result);
  return canceled === true || (Array.isArray(events) && events.length > 0);
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX) throw new EtcdError('etcd sent an endless line');
    yield* lines.filter((line) => line !== '');
  }
}

type Json = Readonly<Record<string, unknown>>;

function parse(text: string): Json {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    throw new EtcdError('etcd answered with something that is no JSON object');
  }
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}

function textOf(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : '', 'base64').toString('utf8');
}
