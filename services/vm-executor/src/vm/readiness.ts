import type { Logger } from '@factory/runtime';
import type { VmStorage } from '../storage/port.ts';
import type { VmRecord } from './record.ts';

const CHUNK_BYTES_MAX = 64 * 1024;

/**
 * Follows a VM's console from the byte at which the guest was powered on, and calls `onReady` once,
 * when its image's marker comes by. Gives the end of following. Nobody waits for the image to be
 * looked up, nor for the log to be read: both may be on a storage that hangs.
 */
export function watchReadiness(options: {
  readonly storage: VmStorage;
  readonly record: VmRecord;
  readonly logger: Logger;
  readonly onReady: () => void;
}): () => void {
  const { storage, record, logger } = options;
  let stop: (() => void) | undefined;
  let isOver = false;
  storage.findImage(record.spec.image).then(
    ({ readyMarker: marker }) => {
      if (marker !== undefined && !isOver) stop = watchForMarker({ ...options, marker });
    },
    (error: unknown) => logger.warn({ err: error }, 'nobody will know when the guest is ready'),
  );
  return () => {
    isOver = true;
    stop?.();
  };
}

function watchForMarker(options: {
  readonly storage: VmStorage;
  readonly record: VmRecord;
  readonly marker: string;
  readonly logger: Logger;
  readonly onReady: () => void;
}): () => void {
  const { storage, record, marker, logger, onReady } = options;
  let nextByte = record.consoleStartByte;
  // The marker may lie across two reads.
  let tail = '';
  let ended = false;
  let reading = false;
  let more = true;

  const readOn = async (): Promise<void> => {
    while (more && !ended) {
      more = false;
      const chunk = await storage.readConsole(record.vmId, nextByte, CHUNK_BYTES_MAX);
      if (chunk.nextByte === nextByte) continue;
      nextByte = chunk.nextByte;
      more = true;
      const text = tail + chunk.text;
      if (text.includes(marker)) {
        finish();
        onReady();
        return;
      }
      tail = text.slice(-marker.length);
    }
    // In the same turn as the loop's last look at `more`: no ring can fall between.
    reading = false;
  };
  const look = (): void => {
    more = true;
    if (reading || ended) return;
    reading = true;
    readOn().catch((error: unknown) => {
      reading = false;
      logger.warn({ err: error }, "can't read the console log");
    });
  };
  const unwatch = storage.watchConsole(record.vmId, look);
  const finish = (): void => {
    ended = true;
    unwatch();
  };
  look();
  return finish;
}
