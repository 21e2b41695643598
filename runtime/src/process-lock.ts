import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { type Clock, waitFor } from './clock.ts';
import { hasErrorCode } from './files.ts';

/**
 * Runs `work` while no other process of this machine (nor other work in this one) holds the lock
 * called `name`. The lock is a socket in Linux' abstract namespace (unix(7)): the kernel lets go of
 * it when its process dies, so it is never stale.
 * @throws DeadlineExceededError when the lock is not free within `timeoutMs`.
 */
export async function withProcessLock<T>(
  options: { readonly name: string; readonly clock: Clock; readonly timeoutMs: number },
  work: () => Promise<T>,
): Promise<T> {
  const { name, clock, timeoutMs } = options;
  // Names in that namespace have at most 107 bytes.
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  const take = (): Promise<Server | undefined> => tryTake(`\0compute-factory-${digest}`);
  const lock = await waitFor(clock, `getting the lock ${name}`, timeoutMs, take, 20);
  try {
    return await work();
  } finally {
    await new Promise((resolve) => lock.close(resolve));
  }
}

function tryTake(path: string): Promise<Server | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>();
  const server = createServer((socket) => socket.destroy());
  server.once('error', (error) => {
    if (hasErrorCode(error, 'EADDRINUSE')) resolve(undefined);
    else reject(error);
  });
  server.listen({ path }, () => resolve(server));
  return promise;
}
