import {
  connectLibvirt,
  isLibvirtError,
  type Libvirt,
  LibvirtDisconnectedError,
  LibvirtOverloadedError,
  LibvirtTimeoutError,
} from '@factory/libvirt';
import {
  type Clock,
  createBackoff,
  DeadlineExceededError,
  type Logger,
  type Random,
  retryForever,
  withDeadline,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { passingStorageFailure } from '../storage/storage-errors.ts';
import { hardwareReason } from './hardware-failures.ts';

/** How long a call waits for a connection that is just being made. */
const CONNECT_WAIT_MS = 5_000;
const RECONNECT_BASE_MS = 100;
const RECONNECT_MAX_MS = 2_000;

/** A connection to libvirtd that is made again whenever it is lost. */
export interface LibvirtLink {
  /** Starts connecting; `onConnected` runs with each new connection, before anybody uses it. */
  start(handlers: LinkHandlers): void;
  /**
   * Runs `work` on the connection.
   * @throws VmFailure for all that libvirt says; transient while it can't be reached.
   */
  use<T>(work: (libvirt: Libvirt) => Promise<T>, signal?: AbortSignal): Promise<T>;
  close(): Promise<void>;
}

export interface LinkHandlers {
  readonly onConnected: (libvirt: Libvirt) => Promise<void>;
  readonly onDisconnected: (message: string) => void;
}

/** A link to the `qemu:///system` (or other `uri`) behind a socket. */
export function createLibvirtLink(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly socketPath: string;
  readonly uri: string;
}): LibvirtLink {
  const { clock, logger, random, socketPath, uri } = options;
  const controller = new AbortController();
  let connecting = Promise.withResolvers<Libvirt>();
  let current: Libvirt | undefined;
  let loop: Promise<void> | undefined;

  const connect = async (handlers: LinkHandlers): Promise<Libvirt> => {
    const libvirt = await connectLibvirt({ clock, logger, socketPath, uri });
    try {
      await handlers.onConnected(libvirt);
      return libvirt;
    } catch (error) {
      await libvirt.close();
      throw error;
    }
  };

  const keepConnected = async (handlers: LinkHandlers): Promise<void> => {
    const { signal } = controller;
    const backoff = createBackoff({ baseMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS, random });
    while (!signal.aborted) {
      const retry = { what: 'connecting to libvirt', clock, logger, backoff, signal };
      current = await retryForever(retry, () => connect(handlers));
      connecting.resolve(current);
      const reason = await current.closed;
      connecting = Promise.withResolvers<Libvirt>();
      current = undefined;
      if (!signal.aborted) handlers.onDisconnected(reason.message);
    }
  };

  return {
    start(handlers) {
      loop ??= keepConnected(handlers).catch((error: unknown) => {
        if (!controller.signal.aborted) logger.error({ err: error }, 'the libvirt link ended');
      });
    },
    async use(work, signal) {
      try {
        const waiting = (): Promise<Libvirt> => connecting.promise;
        const what = 'connecting to libvirt';
        const libvirt = current ?? (await withDeadline(clock, what, CONNECT_WAIT_MS, waiting));
        signal?.throwIfAborted();
        return await work(libvirt);
      } catch (error) {
        throw toVmFailure(error);
      }
    },
    async close() {
      controller.abort(new Error('closing'));
      await current?.close();
      await loop;
    },
  };
}

/** What an error of libvirt means for a VM. */
export function toVmFailure(cause: unknown): unknown {
  if (cause instanceof VmFailure) return cause;
  if (
    cause instanceof LibvirtDisconnectedError ||
    cause instanceof LibvirtTimeoutError ||
    cause instanceof LibvirtOverloadedError ||
    cause instanceof DeadlineExceededError
  ) {
    const message = `libvirt of its host does not answer: ${cause.message}`;
    return new VmFailure('HYPERVISOR_UNAVAILABLE', message, { cause, isTransient: true });
  }
  if (!isLibvirtError(cause)) return cause;
  const { message } = cause;
  const ofStorage = passingStorageFailure(cause, message);
  if (ofStorage !== undefined) return ofStorage;
  // virStorageSourceReportBrokenChain: "Cannot access storage file" or "… backing file".
  if (/cannot access \w+ file/i.test(message)) {
    return new VmFailure('STORAGE_UNAVAILABLE', message, { cause });
  }
  // qemuInterfaceEthernetConnect. The tap is made again before the next attempt.
  if (/specified dev doesn't exist/i.test(message)) {
    return new VmFailure('NETWORK_ERROR', message, { cause, isTransient: true });
  }
  return new VmFailure(hardwareReason(message) ?? 'HYPERVISOR_ERROR', message, { cause });
}
