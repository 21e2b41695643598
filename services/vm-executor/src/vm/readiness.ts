import {
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  retryForever,
} from '@factory/runtime';
import { createBell } from '../bell.ts';
import type { VmStorage } from '../storage/port.ts';
import type { VmRecord } from './record.ts';

const CHUNK_BYTES_MAX = 64 * 1024;
const TRY_AGAIN = { baseMs: 1_000, maxMs: 60_000 };

interface ReadinessOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: VmStorage;
  readonly record: VmRecord;
  readonly logger: Logger;
  readonly onReady: () => void;
}

/**
 * Follows a VM's console from the byte at which the guest was powered on, and calls `onReady` once,
 * when its image's marker comes by. Gives the end of following. Nobody waits for the image to be
 * looked up, nor for the log to be read: both may be on a storage that hangs, and are tried again.
 */
export function watchReadiness(options: ReadinessOptions): () => void {
  const { clock, random, logger, onReady } = options;
  const over = new AbortController();
  const { signal } = over;
  const place = { nextByte: options.record.consoleStartByte, tail: '' };
  const backoff = createBackoff({ ...TRY_AGAIN, random });
  const retry = { what: 'following the console', clock, logger, backoff, signal };
  retryForever(retry, () => untilMarker(options, place, signal))
    .then((isReady) => {
      if (isReady && !signal.aborted) onReady();
    })
    .catch((error: unknown) => {
      if (!signal.aborted) logger.error({ err: error }, 'nobody knows whether the guest is ready');
    });
  return () => over.abort();
}

/** How far the log was read; the marker may lie across two reads. */
interface Place {
  nextByte: number;
  tail: string;
}

/** Whether the marker came by; false when the image has none. @throws the signal's reason. */
async function untilMarker(
  { clock, storage, record: { vmId, spec } }: ReadinessOptions,
  place: Place,
  signal: AbortSignal,
): Promise<boolean> {
  const { readyMarker: marker } = await storage.findImage(spec.image);
  if (marker === undefined) return false;
  const bell = createBell(clock);
  const unwatch = storage.watchConsole(vmId, () => bell.ring());
  try {
    for (;;) {
      signal.throwIfAborted();
      const { text, nextByte } = await storage.readConsole(vmId, place.nextByte, CHUNK_BYTES_MAX);
      if ((place.tail + text).includes(marker)) return true;
      const isEnd = nextByte === place.nextByte;
      place.tail = (place.tail + text).slice(-marker.length);
      place.nextByte = nextByte;
      if (isEnd) await bell.wait(undefined, signal);
    }
  } finally {
    unwatch();
  }
}
