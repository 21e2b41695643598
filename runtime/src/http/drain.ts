import type { IncomingMessage } from 'node:http';
import type { Clock } from '../clock.ts';

const DRAIN_BYTES_MAX = 128 * 1024 * 1024;
const DRAIN_TIMEOUT_MS = 5_000;

/**
 * Reads on and throws away what a peer still sends. When a connection is closed with bytes unread
 * the kernel answers with a reset, and a peer that was writing loses the answer that says why
 * (RFC 9112, 9.6). Resolves at the end of the body, after 128 MiB or after 5 s; never rejects.
 */
export async function drainBody(request: IncomingMessage, clock: Clock): Promise<void> {
  if (request.readableEnded || request.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  let drainedBytes = 0;
  const onData = (chunk: Uint8Array): void => {
    drainedBytes += chunk.byteLength;
    if (drainedBytes > DRAIN_BYTES_MAX) resolve();
  };
  const ends = ['end', 'close', 'error'] as const;
  const timer = clock.after(DRAIN_TIMEOUT_MS, resolve);
  request.on('data', onData);
  for (const event of ends) request.once(event, resolve);
  request.resume();
  await promise;
  timer.cancel();
  request.off('data', onData);
  for (const event of ends) request.off(event, resolve);
}
