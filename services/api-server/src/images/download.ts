import type { Clock, HttpStream, HttpTransport, Timer } from '@factory/runtime';
import type { ImageFiles } from './files.ts';
import { PART_BYTES_MAX } from './upload.ts';
import type { ImageVersionRecord } from './version.ts';
import { type DownloadProgress, DownloadRefusedError, type ImageDownloads } from './worker.ts';

const REDIRECTS_MAX = 5;
const ANSWER_TIMEOUT_MS = 30_000;
/** The longest silence of a server that is sending. */
const SILENCE_MS = 60_000;
const PROGRESS_EVERY_MS = 2_000;
/** Statuses that another try may change. */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

interface DownloadParts {
  readonly clock: Clock;
  /** Where it connects to is its own matter: it must refuse addresses of the inside. */
  readonly transport: HttpTransport;
  readonly files: ImageFiles;
  readonly sizeBytesMax: number;
}

/** An answer whose body is the content from `offset` on. */
interface Opened {
  readonly stream: HttpStream;
  readonly offset: number;
  readonly totalBytes: number | null;
  readonly etag: string | undefined;
}

/** Downloads by HTTP, which go on where they broke off if the server can do that. */
export function createDownloads(parts: DownloadParts): ImageDownloads {
  return {
    async fetch(record, onProgress, signal) {
      const opened = await openAt(parts, record, signal);
      if (opened === 'complete') return;
      try {
        await receive(parts, record.id, opened, onProgress, signal);
      } finally {
        opened.stream.close();
      }
    },
  };
}

async function openAt(
  parts: DownloadParts,
  { id, source }: ImageVersionRecord,
  signal: AbortSignal,
): Promise<Opened | 'complete'> {
  if (source.kind !== 'url') throw new DownloadRefusedError('It is not to be fetched.');
  const { files, transport, sizeBytesMax } = parts;
  const have = await files.sizeBytes(id);
  // Without a strong tag nobody knows whether the rest belongs to what is here (RFC 9110, 13.1.5).
  const canGoOn = have > 0 && source.etag !== undefined;
  const range = canGoOn ? { range: `bytes=${have}-`, 'if-range': source.etag ?? '' } : {};
  const headers = { ...range, 'accept-encoding': 'identity', 'user-agent': 'compute-factory' };
  const stream = await follow(transport, source.url, headers, signal);
  const { status } = stream;
  const contentRange = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(
    stream.headers['content-range'] ?? '',
  );
  if (status === 416 && canGoOn && Number(contentRange?.[2]) === have) {
    stream.close();
    return 'complete';
  }
  const offset = status === 206 ? Number(contentRange?.[1]) : 0;
  if ((status !== 200 && status !== 206) || (status === 206 && offset !== have)) {
    stream.close();
    throw statusError(status, source.url);
  }
  if (offset === 0) await files.remove(id);
  const length = Number(stream.headers['content-length'] ?? Number.NaN);
  const totalBytes = Number.isFinite(length) ? offset + length : null;
  if ((totalBytes ?? 0) > sizeBytesMax) {
    stream.close();
    throw tooLarge(sizeBytesMax);
  }
  const tag = stream.headers.etag;
  const etag = tag === undefined || tag.startsWith('W/') ? undefined : tag;
  return { stream, offset, totalBytes, etag };
}

/** Follows redirects by hand: each is a call of its own, checked like the first. */
async function follow(
  transport: HttpTransport,
  from: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HttpStream> {
  let url = from;
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    const request = { method: 'GET', url, headers, timeoutMs: ANSWER_TIMEOUT_MS, signal } as const;
    const stream = await transport.stream(request).catch((error: unknown) => {
      throw refusedAddress(error) ?? error;
    });
    const { location } = stream.headers;
    if (stream.status < 300 || stream.status > 399 || location === undefined) return stream;
    stream.close();
    if (!URL.canParse(location, url)) throw new DownloadRefusedError(`${url} leads nowhere.`);
    const next = new URL(location, url);
    if (next.protocol !== 'http:' && next.protocol !== 'https:') {
      throw new DownloadRefusedError(`${url} leads to ${next.protocol}, which is not followed.`);
    }
    url = next.href;
  }
  throw new DownloadRefusedError(`${from} leads on and on.`);
}

function refusedAddress(error: unknown): DownloadRefusedError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && cause.code === 'FACTORY_ERR_ADDRESS_REFUSED') {
      return new DownloadRefusedError(`${cause.message}; upload the file instead.`);
    }
  }
  return undefined;
}

function statusError(status: number, url: string): Error {
  const message = `${url} answered with status ${status}.`;
  const isFinal = status >= 300 && status < 500 && !TRANSIENT_STATUSES.has(status);
  return isFinal ? new DownloadRefusedError(message) : new Error(message);
}

function tooLarge(sizeBytesMax: number): DownloadRefusedError {
  return new DownloadRefusedError(`The file is larger than ${sizeBytesMax} bytes.`);
}

/** Writes what comes in, part by part. @throws when it ends before its end, or falls silent */
async function receive(
  { clock, files, sizeBytesMax }: DownloadParts,
  id: string,
  { stream, offset, totalBytes, etag }: Opened,
  onProgress: (progress: DownloadProgress) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let sizeBytes = offset;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  let silence: Timer | undefined;
  const flush = async (): Promise<void> => {
    if (pendingBytes === 0) return;
    sizeBytes = await files.write(id, sizeBytes, Buffer.concat(pending));
    pending = [];
    pendingBytes = 0;
    if (clock.monotonicMs() - toldAtMs < PROGRESS_EVERY_MS) return;
    toldAtMs = clock.monotonicMs();
    await onProgress({ sizeBytes, totalBytes, ...(etag === undefined ? {} : { etag }) });
  };
  const listen = (): void => {
    silence?.cancel();
    silence = clock.after(SILENCE_MS, () => stream.close());
  };
  try {
    listen();
    for await (const chunk of stream.body) {
      signal.throwIfAborted();
      if (sizeBytes + pendingBytes + chunk.byteLength > sizeBytesMax) throw tooLarge(sizeBytesMax);
      pending.push(chunk);
      pendingBytes += chunk.byteLength;
      if (pendingBytes >= PART_BYTES_MAX) await flush();
      listen();
    }
    await flush();
  } finally {
    silence?.cancel();
  }
  if (totalBytes !== null && sizeBytes < totalBytes) {
    throw new Error(`the download ended at ${sizeBytes} of ${totalBytes} bytes`);
  }
}
