import { connect, type Socket } from 'node:net';

/**
 * HTTP/1.1 by hand, for load: requests made beforehand, one at a time on each connection. A client
 * library would spend more on a call than what is measured.
 */

const HEAD_END = Buffer.from('\r\n\r\n');

/** Sends all requests over so many connections; gives how many answers of each status came. */
export async function sendAll(
  port: number,
  requests: readonly Buffer[],
  connections: number,
): Promise<ReadonlyMap<number, number>> {
  const statuses = new Map<number, number>();
  let next = 0;
  const take = (): Buffer | undefined => {
    const request = requests[next];
    next += 1;
    return request;
  };
  const note = (status: number): void => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  await Promise.all(Array.from({ length: connections }, () => runConnection(port, take, note)));
  return statuses;
}

function runConnection(
  port: number,
  take: () => Buffer | undefined,
  note: (status: number) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.setNoDelay(true);
  let received: Buffer = Buffer.alloc(0);
  const sendNext = (on: Socket): void => {
    const request = take();
    if (request === undefined) on.end();
    else on.write(request);
  };
  socket.on('connect', () => sendNext(socket));
  socket.on('data', (chunk) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const end = received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = received.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (received.length < end + HEAD_END.length + length) return;
    received = Buffer.alloc(0);
    note(Number(head.slice(9, 12)));
    sendNext(socket);
  });
  socket.on('error', reject);
  socket.on('close', () => resolve());
  return promise;
}
