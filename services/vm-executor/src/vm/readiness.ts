import {
  type Clock,
  createBackoff,
  type Logger,
  type Random,
  retryForever,
  sleep,
} from '@factory/runtime';
import { createBell } from '../bell.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { VmStorage } from '../storage/port.ts';
import type { VmRecord } from './record.ts';

const CHUNK_BYTES_MAX = 64 * 1024;
const TRY_AGAIN = { baseMs: 1_000, maxMs: 60_000 };

/** A guest agent is looked for at first this often, and then more and more seldom. */
const PING = { baseMs: 2_000, maxMs: 60_000 };

interface ReadinessOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly storage: VmStorage;
  readonly hypervisor: Pick<Hypervisor, 'pingGuest'>;
  readonly record: VmRecord;
  readonly logger: Logger;
  readonly onReady: () => void;
}

/**
 * Calls `onReady` once, when the guest is up: when its image's marker comes by on its console, read
 * from the byte at which the guest was powered on; for an image that has no marker, when the guest's
 * agent answers. Gives the end of looking. Nobody waits for the image to be
 * looked up, nor for the log to be read: both may be on a storage that hangs, and are tried again.
 */
export function watchReadiness(options: ReadinessOptions): () => void {
  const { clock, random, logger, onReady } = options;
  const over = new AbortController();
  const { signal } = over;
  const place = { nextByte: options.record.consoleStartByte, tail: '' };
  const backoff = createBackoff({ ...TRY_AGAIN, random });
  const retry = { what: 'looking whether the guest is up', clock, logger, backoff, signal };
  retryForever(retry, () => untilReady(options, place, signal))
    .then(() => {
      if (!signal.aborted) onReady();
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

/** Resolves when the guest is up. @throws the signal's reason; what the storage throws. */
async function untilReady(
  options: ReadinessOptions,
  place: Place,
  signal: AbortSignal,
): Promise<void> {
  const { readyMarker } = await options.storage.findImage(options.record.spec.image);
  if (readyMarker === undefined) await untilAgentAnswers(options, signal);
  else await untilMarker(options, readyMarker, place, signal);
}

/** A guest without an agent costs a call a minute. */
async function untilAgentAnswers(
  { clock, random, hypervisor, record: { vmId } }: ReadinessOptions,
  signal: AbortSignal,
): Promise<void> {
  const backoff = createBackoff({ ...PING, random });
  while (!(await hypervisor.pingGuest(vmId, signal))) await sleep(clock, backoff.nextMs(), signal);
}

async function untilMarker(
  { clock, storage, record: { vmId } }: ReadinessOptions,
  marker: string,
  place: Place,
  signal: AbortSignal,
): Promise<void> {
  const bell = createBell(clock);
  const unwatch = storage.watchConsole(vmId, () => bell.ring());
  try {
    for (;;) {
      signal.throwIfAborted();
      const { text, nextByte } = await storage.readConsole(vmId, place.nextByte, CHUNK_BYTES_MAX);
      if ((place.tail + text).includes(marker)) return;
      const isEnd = nextByte === place.nextByte;
      place.tail = (place.tail + text).slice(-marker.length);
      place.nextByte = nextByte;
      if (isEnd) await bell.wait(undefined, signal);
    }
  } finally {
    unwatch();
  }
}
