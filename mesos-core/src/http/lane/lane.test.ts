import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { atTurnEnd, silentLogger, sleep, systemClock, waitFor } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ACCEPTED, type ApiAnswer, type ApiHandler } from '../api-call.ts';
import type { EventBody, EventSink } from '../event-sink.ts';
import { MesosHttpError } from '../mesos-http.ts';
import { Turns } from '../turns.ts';
import { Lane } from './lane.ts';

let server: Server;
let lane: Lane;
let clock: VirtualClock;
let sockets: Socket[];
let handler: ApiHandler;
let answered: string[];
/** Bodies of the lane's requests, in the order they were carried out in. */
let carriedOut: string[];

beforeEach(async () => {
  [sockets, answered, carriedOut] = [[], [], []];
  clock = new VirtualClock();
  handler = ({ body }) => {
    carriedOut.push(Buffer.from(body).toString());
    return ACCEPTED;
  };
  server = createServer((request, response) => {
    request.resume().on('end', () => response.end(`the other server: ${request.url};`));
  });
  lane = new Lane({
    ...{ clock, logger: silentLogger, turns: new Turns(systemClock) },
    handlers: new Map([['/calls', (call) => handler(call)]]),
    authenticate: ({ authorization }) =>
      authorization === 'wrong' ? undefined : { caller: undefined },
    onAnswered: (path, status) => answered.push(`${status} ${path}`),
  });
  lane.attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  lane.close();
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

interface Peer {
  readonly socket: Socket;
  /** All that was received. */
  text(): string;
  isOver(): boolean;
}

function dial(): Peer {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it should listen');
  const socket = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let text = '';
  let isOver = false;
  socket.on('data', (bytes) => {
    text += bytes.toString();
  });
  for (const event of ['end', 'close', 'error'] as const) {
    socket.on(event, () => {
      isOver = true;
    });
  }
  return { socket, text: () => text, isOver: () => isOver };
}

function call(body: string, fields = ''): string {
  const length = Buffer.byteLength(body);
  return `POST /calls HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${length}\r\n\r\n${body}`;
}

const OTHER = 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n';

/** The statuses of what was answered, and what the other server said. */
function summary(text: string): readonly string[] {
  const found = text.matchAll(/HTTP\/1\.1 (\d{3})|(the other server: [^;]+)/g);
  return [...found].map(([, status, words]) => status ?? words ?? '');
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  await waitFor(systemClock, what, 5_000, () => (isSo() ? true : undefined), 2);
}

async function answersTo(text: string, count: number): Promise<readonly string[]> {
  const peer = dial();
  peer.socket.write(text);
  await until(`${count} answers`, () => summary(peer.text()).length >= count);
  return summary(peer.text());
}

describe('plain calls', () => {
  it('are answered in their order, and counted', async () => {
    const answers = await answersTo(call('1') + call('2') + call('3'), 3);
    expect(answers).toEqual(['202', '202', '202']);
    expect(carriedOut).toEqual(['1', '2', '3']);
    expect(answered).toEqual(['202 /calls', '202 /calls', '202 /calls']);
  });

  it('are answered in order even when the first takes longer', async () => {
    const first = Promise.withResolvers<ApiAnswer>();
    handler = ({ body }) => {
      if (String(body) === 'slow') return first.promise;
      throw new MesosHttpError(403, 'not you');
    };
    const peer = dial();
    peer.socket.write(call('slow') + call('quick'));
    await until('the second to be done', () => answered.length === 1);
    expect(peer.text()).toBe('');
    first.resolve(ACCEPTED);
    await until('both answers', () => summary(peer.text()).length === 2);
    expect(summary(peer.text())).toEqual(['202', '403']);
    expect(peer.text()).toMatch(/Content-Length: 7\r\n\r\nnot you$/);
  });

  it('that fail in an unforeseen way are answered with 500, and the next goes on', async () => {
    handler = ({ body }) => {
      if (String(body) === 'bad') throw new TypeError('a secret of the program');
      return ACCEPTED;
    };
    const peer = dial();
    peer.socket.write(call('bad') + call('good'));
    await until('both answers', () => summary(peer.text()).length === 2);
    expect(summary(peer.text())).toEqual(['500', '202']);
    expect(peer.text()).not.toContain('secret');
  });

  it('are all carried out for a peer that says nothing more, and it is told that that was all', async () => {
    const peer = dial();
    peer.socket.end(call('1').repeat(1000));
    await until('the end', () => peer.isOver());
    expect(summary(peer.text())).toEqual(Array.from({ length: 1000 }, () => '202'));
  });

  it('are not taken without end from a peer that does not read', async () => {
    const { socket } = dial();
    socket.pause();
    const large = call('x'.repeat(1000)).repeat(100);
    let isBlocked = false;
    for (let sent = 0; sent < 4000 && !isBlocked; sent += 1) {
      isBlocked = !socket.write(large) && socket.writableLength > 4 * large.length;
      await new Promise<void>(atTurnEnd);
    }
    expect(isBlocked).toBe(true);
  });
});

describe('what is not plain', () => {
  it('goes to the other server, on the same connection, with all that follows', async () => {
    const answers = await answersTo(call('1') + OTHER + call('2'), 5);
    const [own, ...others] = answers;
    expect(own).toBe('202');
    expect(others).toEqual([
      ...['200', 'the other server: /other'],
      ...['200', 'the other server: /calls'],
    ]);
    expect(carriedOut).toEqual(['1']);
  });

  it('waits there for the calls before it', async () => {
    const first = Promise.withResolvers<ApiAnswer>();
    handler = () => first.promise;
    const peer = dial();
    peer.socket.write(call('1') + OTHER);
    // In parts: what comes while it waits is not lost either.
    peer.socket.write(OTHER.slice(0, 10));
    await until('the call', () => server.listening);
    peer.socket.write(OTHER.slice(10));
    first.resolve(ACCEPTED);
    await until('all answers', () => summary(peer.text()).length === 5);
    expect(summary(peer.text())[0]).toBe('202');
  });

  it.each([
    ['a call of somebody who may not', call('1', 'Authorization: wrong\r\n')],
    ['a large call', call('x'.repeat(1024 * 1024 + 1))],
    [
      'a call in chunks',
      'POST /calls HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    ],
  ])('is %s', async (_what, text) => {
    expect(await answersTo(text, 2)).toEqual(['200', 'the other server: /calls']);
    expect(carriedOut).toEqual([]);
  });

  it('is refused there when it is no HTTP', async () => {
    expect(await answersTo('\x16\x03\x01\x02 hello\r\n\r\n', 1)).toEqual(['400']);
  });
});

describe('a subscription', () => {
  let sink: EventSink | undefined;
  /** Of this test alone: connections of the one before may still be closing. */
  let heard: { closed: number; drained: number };

  beforeEach(() => {
    sink = undefined;
    const counts = { closed: 0, drained: 0 };
    heard = counts;
    const body: EventBody = {
      attach: (given) => {
        sink = given;
        given.write([Buffer.from('5\n'), Buffer.from('hello')], 7);
      },
      onDrain: () => {
        counts.drained += 1;
      },
      onClose: () => {
        counts.closed += 1;
      },
    };
    handler = ({ body: said }) => {
      carriedOut.push(String(said));
      return { type: 'stream', id: 'the-id', contentType: 'application/json', body };
    };
  });

  async function subscribe(): Promise<Peer> {
    const peer = dial();
    peer.socket.write(call('subscribe'));
    await until('the first event', () => peer.text().includes('hello'));
    return peer;
  }

  it('gets its head and its events, in chunks', async () => {
    const peer = await subscribe();
    expect(peer.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(peer.text()).toMatch(/\r\nMesos-Stream-Id: the-id\r\n/);
    expect(peer.text()).toMatch(/\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n5\nhello\r\n$/);
    const large = Buffer.alloc(100_000, 'y');
    sink?.write([large, Buffer.from('!')], 100_001);
    sink?.end();
    await until('the end', () => peer.isOver());
    expect(peer.text().endsWith(`\r\n186a1\r\n${large}!\r\n0\r\n\r\n`)).toBe(true);
  });

  it('has the connection for good: later calls are not carried out', async () => {
    const peer = await subscribe();
    peer.socket.write(call('another'));
    sink?.write([Buffer.from('more')], 4);
    await until('more', () => peer.text().includes('more'));
    expect(carriedOut).toEqual(['subscribe']);
  });

  it.each(['end', 'destroy'] as const)('is over when the peer says %s', async (how) => {
    const peer = await subscribe();
    peer.socket[how]();
    await until('the body to know', () => heard.closed === 1);
  });

  it('is told of a peer that was gone before the answer was made', async () => {
    const answer = Promise.withResolvers<ApiAnswer>();
    const made = handler;
    handler = () => answer.promise;
    const peer = dial();
    peer.socket.write(call('subscribe'));
    await sleep(systemClock, 20);
    peer.socket.destroy();
    await sleep(systemClock, 20);
    answer.resolve(made({ ...CALL, ip: () => '' }));
    await until('the body to know', () => heard.closed === 1);
    expect(sink).toBeUndefined();
  });

  it('hears when its peer has taken what was written', async () => {
    const peer = await subscribe();
    peer.socket.pause();
    for (let sent = 0; sent < 100; sent += 1) sink?.write([Buffer.alloc(1_000_000)], 1_000_000);
    expect(sink?.waitingBytes).toBeGreaterThan(10_000_000);
    peer.socket.resume();
    await until('the body to hear', () => heard.drained > 0);
    expect(sink?.waitingBytes).toBe(0);
  });

  it('is cut off some time after the lane was closed, if nobody ends it', async () => {
    const peer = await subscribe();
    lane.close();
    expect(peer.isOver()).toBe(false);
    await clock.run(2_000);
    await until('the end', () => peer.isOver());
    expect(heard.closed).toBe(1);
  });
});

const CALL = {
  head: { contentType: undefined, accept: undefined, streamId: undefined },
  body: new Uint8Array(),
  caller: undefined,
};

describe('a silent connection', () => {
  it.each([
    ['between two calls', call('1')],
    ['in the middle of a call', call('1').slice(0, -1)],
    ['before its first word', ''],
  ])('is closed, %s', async (_what, text) => {
    const peer = dial();
    peer.socket.write(text);
    await sleep(systemClock, 20);
    await clock.run(30_000);
    expect(peer.isOver()).toBe(false);
    await clock.run(60_000);
    await until('the end', () => peer.isOver());
  });
});
