import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Clock, type HttpStream, type HttpTransport, withDeadline } from '@factory/runtime';
import { FetchError } from './fetch-error.ts';

/** Bounds of a download. */
export interface DownloadLimits {
  /** Without a byte for so long it is over (Mesos: --fetcher_stall_timeout). */
  readonly stallTimeoutMs: number;
  /** For all of it. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
}

const REDIRECTS_COUNT_MAX = 10;

/**
 * Brings a file over HTTP to `path`, piece by piece; gives its size in bytes.
 * @throws FetchError when it does not come, is too large, or stops coming.
 */
export async function download(
  clock: Clock,
  transport: HttpTransport,
  url: string,
  path: string,
  limits: DownloadLimits,
): Promise<number> {
  try {
    return await withDeadline(clock, `the download of ${url}`, limits.timeoutMs, async (signal) => {
      const answer = await openFollowing(transport, url, limits.stallTimeoutMs, signal);
      try {
        return await receive(clock, answer, url, path, limits, signal);
      } finally {
        answer.close();
      }
    });
  } catch (cause) {
    if (cause instanceof FetchError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FetchError(`Failed to download '${url}': ${why}`, { cause });
  }
}

async function openFollowing(
  transport: HttpTransport,
  url: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HttpStream> {
  let current = url;
  for (let redirects = 0; redirects <= REDIRECTS_COUNT_MAX; redirects += 1) {
    const answer = await transport.stream({ method: 'GET', url: current, timeoutMs, signal });
    const { location } = answer.headers;
    if (answer.status === 200) return answer;
    answer.close();
    if (answer.status < 300 || answer.status > 399 || location === undefined) {
      throw new FetchError(`Error downloading resource '${url}', received HTTP ${answer.status}`);
    }
    const next = URL.parse(location, current);
    if (next === null || !/^https?:$/.test(next.protocol)) {
      throw new FetchError(`'${url}' redirects to '${location}', which is no web address`);
    }
    current = next.href;
  }
  throw new FetchError(`'${url}' redirects more than ${REDIRECTS_COUNT_MAX} times`);
}

async function receive(
  clock: Clock,
  answer: HttpStream,
  url: string,
  path: string,
  limits: DownloadLimits,
  signal: AbortSignal,
): Promise<number> {
  const file = await open(path, 'w', 0o644);
  let stalled = false;
  const onStall = (): void => {
    stalled = true;
    answer.close();
  };
  let watchdog = clock.after(limits.stallTimeoutMs, onStall);
  let sizeBytes = 0;
  try {
    for await (const chunk of answer.body) {
      watchdog.cancel();
      signal.throwIfAborted();
      sizeBytes += chunk.byteLength;
      if (sizeBytes > limits.bytesMax) {
        throw new FetchError(`'${url}' is larger than ${limits.bytesMax} bytes`);
      }
      await file.write(chunk);
      watchdog = clock.after(limits.stallTimeoutMs, onStall);
    }
  } catch (error) {
    if (!stalled) throw error;
  } finally {
    watchdog.cancel();
    await file.close();
  }
  if (stalled) {
    throw new FetchError(`'${url}' sent nothing for ${limits.stallTimeoutMs / 1000} s`);
  }
  const expected = Number(answer.headers['content-length'] ?? sizeBytes);
  const isEncoded = answer.headers['content-encoding'] !== undefined;
  if (!isEncoded && sizeBytes !== expected) {
    throw new FetchError(`'${url}' ended after ${sizeBytes} of ${expected} bytes`);
  }
  return sizeBytes;
}

/**
 * Compares a file with its checksum.
 * @throws FetchError when it is another file.
 */
export async function verifySha256(path: string, uri: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const actual = hash.digest('hex');
  if (actual === expected) return;
  throw new FetchError(`'${uri}' has the SHA-256 ${actual}`);
}
