import { type FSWatcher, watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VmId } from '@factory/contracts';
import { hasErrorCode, type Logger } from '@factory/runtime';
import type { VmStorage } from './port.ts';

/** The console part of VmStorage, and where the logs are. */
export type ConsoleFiles = Pick<
  VmStorage,
  'consoleSize' | 'readConsole' | 'watchConsole' | 'close'
> & { consolePath(vmId: VmId): string };

/** The console logs below `folder`, which virtlogd writes. One watch of the folder serves all. */
export function createConsoleFiles(folder: string, logger: Logger): ConsoleFiles {
  const consolePath = (vmId: VmId): string => join(folder, `${vmId}.log`);
  const listeners = new Map<string, Set<() => void>>();
  let watcher: FSWatcher | undefined;

  const startWatching = (): void => {
    watcher ??= watch(folder, (_event, fileName) => {
      for (const listener of listeners.get(fileName ?? '') ?? []) listener();
    }).on('error', (error) => logger.error({ err: error }, 'console logs are not followed'));
  };

  return {
    consolePath,
    consoleSize: (vmId) => fileSize(consolePath(vmId)),
    async readConsole(vmId, fromByte, maxBytes) {
      const path = consolePath(vmId);
      const size = await fileSize(path);
      // Smaller than what was read: virtlogd turned the log over.
      const start = fromByte > size ? 0 : fromByte;
      if (start === size) return { text: '', nextByte: start };
      const file = await open(path, 'r');
      try {
        const { bytesRead, buffer } = await file.read({
          buffer: Buffer.alloc(Math.min(maxBytes, size - start)),
          position: start,
        });
        return {
          text: buffer.subarray(0, bytesRead).toString('utf8'),
          nextByte: start + bytesRead,
        };
      } finally {
        await file.close();
      }
    },
    watchConsole(vmId, listener) {
      startWatching();
      const fileName = `${vmId}.log`;
      const mine = listeners.get(fileName) ?? new Set();
      listeners.set(fileName, mine.add(listener));
      return () => {
        mine.delete(listener);
        if (mine.size === 0) listeners.delete(fileName);
      };
    },
    async close() {
      watcher?.close();
      watcher = undefined;
    },
  };
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return 0;
    throw error;
  }
}
