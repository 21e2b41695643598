import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock, waitFor } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { createHttpApp } from './app.ts';
import { coalesceWrites } from './coalesce.ts';
import { type ListeningServer, listen } from './listen.ts';

let server: ListeningServer;

beforeEach(async () => {
  const app = createHttpApp({ service: 'test', clock: systemClock, logger: silentLogger });
  coalesceWrites(app.server);
  app.get('/number/:n', async (request) => request.params);
  server = await listen(app, { host: '127.0.0.1', port: 0 });
});
afterEach(() => server.close());

it('answers pipelined requests in order, many with one write', async () => {
  const socket = connect(server.port, '127.0.0.1').setEncoding('latin1');
  let received = '';
  let packets = 0;
  socket.on('data', (text) => {
    received += text;
    packets += 1;
  });
  const request = (n: number): string => `GET /number/${n} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const numbers = Array.from({ length: 100 }, (_, n) => n);
  socket.write(numbers.map(request).join(''));
  await waitFor(systemClock, 'all answers', 5000, () =>
    received.includes('{"n":"99"}') ? true : undefined,
  );
  expect([...received.matchAll(/"n":"(\d+)"/g)].map(([, n]) => Number(n))).toEqual(numbers);
  expect(packets).toBeLessThan(20);
  // The connection goes on as ever.
  socket.write(request(100));
  await waitFor(systemClock, 'the next answer', 5000, () =>
    received.includes('{"n":"100"}') ? true : undefined,
  );
  socket.end();
  await once(socket, 'close');
});
