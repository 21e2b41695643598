import { connect, type Socket } from 'node:net';
import { type Clock, withDeadline } from '@factory/runtime';
import { LibvirtDisconnectedError } from './errors.ts';

/**
 * Where libvirtd listens, or virtproxyd in its place (modular daemons), or virtqemud alone, which
 * has no networks.
 */
export const DEFAULT_SOCKET_PATHS: readonly string[] = [
  '/run/libvirt/libvirt-sock',
  '/run/libvirt/virtqemud-sock',
];

/** What {@link openSocket} needs. */
interface SocketOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** By default the first of {@link DEFAULT_SOCKET_PATHS} that answers. */
  readonly path: string | undefined;
  /** Cuts the socket, connected or not. */
  readonly signal: AbortSignal | undefined;
}

/**
 * A connected socket.
 * @throws LibvirtDisconnectedError when no path answers in time.
 */
export async function openSocket(options: SocketOptions): Promise<Socket> {
  const failures: string[] = [];
  for (const path of options.path === undefined ? DEFAULT_SOCKET_PATHS : [options.path]) {
    try {
      return await open(path, options);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  const message = `no libvirtd at its socket: ${failures.join('; ')}`;
  throw new LibvirtDisconnectedError({ kind: 'disconnected', message });
}

/** @throws the system's error, or DeadlineExceededError. */
async function open(path: string, options: SocketOptions): Promise<Socket> {
  const { clock, timeoutMs, signal } = options;
  const socket = connect(signal === undefined ? { path } : { path, signal });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('connect', resolve);
  socket.once('error', reject);
  try {
    await withDeadline(clock, `connecting to ${path}`, timeoutMs, () => promise);
    socket.off('error', reject);
    return socket;
  } catch (error) {
    // The first error was taken; `reject` stays to take one that destroying may cause.
    socket.on('error', reject);
    socket.destroy();
    throw error;
  }
}
