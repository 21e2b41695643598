import { createServer, type Socket } from 'node:net';
import { type ByteChannel, type Clock, joinChannels, streamChannel } from '@factory/runtime';

/** A port of this machine that leads to a console. */
export interface ForwardedPort {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens on this machine only, and gives each connection a console of its own. What can't be opened
 * is told to `onRefused`.
 */
export async function forwardPort(options: {
  readonly clock: Clock;
  /** 0: the system chooses. */
  readonly port: number;
  readonly open: () => Promise<ByteChannel>;
  readonly onRefused: (why: string) => void;
}): Promise<ForwardedPort> {
  const { clock, open, onRefused } = options;
  const sockets = new Set<Socket>();
  const serve = async (socket: Socket): Promise<void> => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const near = streamChannel(socket);
    try {
      const { code, reason } = await joinChannels(near, await open(), { clock });
      if (code !== 1000) onRefused(reason);
    } catch (error) {
      onRefused(error instanceof Error ? error.message : String(error));
      socket.destroy();
    }
  };
  const server = createServer((socket) => void serve(socket));
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject).listen(options.port, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP port');
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
