import { connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { createHttpApp } from '../http/app.ts';
import { listen } from '../http/listen.ts';
import { silentLogger } from '../log.ts';
import { VirtualClock } from '../simulated/virtual-clock.ts';
import { type ByteChannel, channelPair } from './byte-channel.ts';
import { joinChannels } from './join.ts';
import { streamChannel } from './stream-channel.ts';
import { createUpgrades, passUpgrade } from './upgrades.ts';
import { createWebSocketAcceptor, createWebSocketDialer } from './websocket.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const END = { code: 4000, reason: 'the machine was stopped' };

/** Reads until so many bytes have come. */
async function read(channel: ByteChannel, count: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of channel.received) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= count) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

type Pair = readonly [ByteChannel, ByteChannel];
interface Made {
  readonly pair: Pair;
  close(): Promise<void>;
}

/** A WebSocket to a server, by way of another server that passes it on. */
async function throughGateway(): Promise<Made> {
  const accepted = Promise.withResolvers<ByteChannel>();
  const [back, front] = ['back', 'front'].map((service) =>
    createHttpApp({ service, clock: systemClock, logger: silentLogger }),
  );
  if (back === undefined || front === undefined) throw new Error('two apps');
  const acceptor = createWebSocketAcceptor(systemClock);
  createUpgrades(back).on('/there/', async ({ request, socket, head }) => {
    accepted.resolve(await acceptor.accept(request, socket, head));
  });
  const backServer = await listen(back, { host: '127.0.0.1', port: 0 });
  createUpgrades(front).on('/here/', (upgrade) =>
    passUpgrade(upgrade, { url: `${backServer.url}/there/${upgrade.id}`, headers: {} }),
  );
  const frontServer = await listen(front, { host: '127.0.0.1', port: 0 });
  const dialer = createWebSocketDialer(systemClock);
  const url = `${frontServer.url}/here/x.y`;
  const client = await dialer.dial({ url, protocols: ['binary'], timeoutMs: 5_000 });
  return {
    pair: [client, await accepted.promise],
    close: async () => {
      await frontServer.close();
      await backServer.close();
    },
  };
}

async function throughSocket(): Promise<Made> {
  const accepted = Promise.withResolvers<ByteChannel>();
  const server = createServer((socket) => accepted.resolve(streamChannel(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = streamChannel(connect(address.port, '127.0.0.1'));
  return { pair: [client, await accepted.promise], close: async () => void server.close() };
}

const inProcess = async (): Promise<Made> => ({
  pair: channelPair(),
  close: async () => undefined,
});

describe.each([
  { name: 'in this process', make: inProcess },
  { name: 'over a WebSocket that a gateway passes on', make: throughGateway },
  { name: 'over a socket', make: throughSocket },
])('a channel $name', ({ name, make }) => {
  const used = async (work: (pair: Pair) => Promise<void>): Promise<void> => {
    const made = await make();
    try {
      await work(made.pair);
    } finally {
      for (const channel of made.pair) channel.close(END);
      await Promise.all(made.pair.map((channel) => channel.ended));
      await made.close();
    }
  };

  it('carries bytes both ways, in order', () =>
    used(async ([one, other]) => {
      await one.send(bytesOf('uname'));
      await one.send(bytesOf('\r'));
      expect(await read(other, 6)).toBe('uname\r');
      await other.send(bytesOf('Linux'));
      expect(await read(one, 5)).toBe('Linux');
    }));

  it('holds a sender up whose reader does not read, and loses nothing', () =>
    used(async ([one, other]) => {
      const chunk = new Uint8Array(64 * 1024).fill(7);
      let sent = 0;
      const sending = (async () => {
        for (; sent < 400; sent += 1) await one.send(chunk);
      })();
      const stalled = await Promise.race([sending, untilStill(() => sent)]);
      expect(stalled).toBe('still');
      expect(sent).toBeLessThan(400);
      expect(await read(other, 400 * chunk.length)).toHaveLength(400 * chunk.length);
      await sending;
    }));

  it('ends on both sides when one ends it, after what was sent', () =>
    used(async ([one, other]) => {
      await one.send(bytesOf('last words'));
      one.close(END);
      expect(await read(other, 1_000)).toBe('last words');
      const said = name === 'over a socket' ? { code: 1000, reason: '' } : END;
      expect(await other.ended).toEqual(said);
      expect(await one.ended).toEqual(END);
      await one.send(bytesOf('nobody hears this'));
    }));
});

/** Resolves when a count has stood still for some turns. */
async function untilStill(count: () => number): Promise<'still'> {
  for (let before = -1, same = 0; same < 20; ) {
    await new Promise<void>((resolve) => void systemClock.after(10, resolve));
    same = count() === before ? same + 1 : 0;
    before = count();
  }
  return 'still';
}

describe('joined channels', () => {
  it('pass everything on, and end together with the reason of the one that ended', async () => {
    const [user, near] = channelPair();
    const [far, guest] = channelPair();
    const joined = joinChannels(near, far, { clock: systemClock });
    await user.send(bytesOf('ls'));
    expect(await read(guest, 2)).toBe('ls');
    await guest.send(bytesOf('file'));
    guest.close(END);
    expect(await read(user, 1_000)).toBe('file');
    expect(await joined).toEqual(END);
    expect(await user.ended).toEqual(END);
  });

  it('hold the one up that sends faster than the other reads', async () => {
    const [guest, near] = channelPair(1_000);
    const [far, user] = channelPair(1_000);
    void joinChannels(near, far, { clock: systemClock });
    let sent = 0;
    const sending = (async () => {
      for (; sent < 100; sent += 1) await guest.send(new Uint8Array(500));
    })();
    expect(await Promise.race([sending, untilStill(() => sent)])).toBe('still');
    expect(sent).toBeLessThan(20);
    expect(await read(user, 50_000)).toHaveLength(50_000);
    await sending;
    guest.close(END);
  });

  it('end when nothing was said for long, and after so long in any case', async () => {
    const clock = new VirtualClock();
    const onIdle = { code: 4001, reason: 'idle' };
    const onTotal = { code: 4002, reason: 'long enough' };
    const limits = { idleMs: 1_000, totalMs: 5_000, onIdle, onTotal };
    const run = async (chatterMs: number): Promise<unknown> => {
      const [user, near] = channelPair();
      const [far] = channelPair();
      let isOver = false;
      const joined = joinChannels(near, far, { clock, limits });
      joined.then(() => {
        isOver = true;
      });
      const talk = (): void => {
        if (isOver) return;
        void user.send(bytesOf('.'));
        clock.after(chatterMs, talk);
      };
      talk();
      await clock.run(20_000);
      return joined;
    };
    expect(await run(900)).toEqual(onTotal);
    expect(await run(3_000)).toEqual(onIdle);
  });
});
