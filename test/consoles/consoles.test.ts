import { CONSOLE_ENDS, CONSOLE_PATHS } from '@factory/contracts';
import {
  type ByteChannel,
  createWebSocketDialer,
  NORMAL_END,
  sleep,
  systemClock,
} from '@factory/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ConsoleFactory, type ConsoleFactoryOptions } from './console-factory.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

/** Reads until the text has come; gives all that came. */
async function readUntil(channel: ByteChannel, text: string): Promise<string> {
  let seen = '';
  for await (const bytes of channel.received) {
    seen += Buffer.from(bytes).toString('utf8');
    if (seen.includes(text)) return seen;
  }
  throw new Error(`the channel ended after: ${seen}`);
}

describe('a console through gateway, api-server and cluster-server', { timeout: 60_000 }, () => {
  let factory: ConsoleFactory;
  beforeAll(async () => {
    factory = new ConsoleFactory();
    await factory.start();
  });
  afterEach(() => factory.endConsoles());
  afterAll(() => factory.close());

  /** With a factory of its own. */
  const alone = async (
    options: ConsoleFactoryOptions,
    work: (factory: ConsoleFactory) => Promise<void>,
  ): Promise<void> => {
    const own = new ConsoleFactory();
    try {
      await own.start(options);
      await work(own);
    } finally {
      await own.close();
    }
  };

  it('carries what is typed to the guest, and its answer back', async () => {
    const { user, guest } = await factory.open('serial');
    await user.send(bytesOf('uname\r'));
    expect(await readUntil(guest, '\r')).toBe('uname\r');
    await guest.send(bytesOf('Linux\r\n# '));
    expect(await readUntil(user, '# ')).toBe('Linux\r\n# ');
  });

  it('carries the first bytes of a screen, which the guest says unasked', async () => {
    const { user, guest } = await factory.open('vnc');
    await guest.send(bytesOf('RFB 003.008\n'));
    expect(await readUntil(user, '\n')).toBe('RFB 003.008\n');
  });

  it('shows one serial console to several, who may all type', async () => {
    const { user, guest } = await factory.open('serial');
    const other = await factory.dial(await factory.ticket('serial'));
    // It is not opened again: the second joins in.
    await other.send(bytesOf('ls\r'));
    expect(await readUntil(guest, '\r')).toBe('ls\r');
    await guest.send(bytesOf('file'));
    expect(await readUntil(user, 'file')).toBe('file');
    expect(await readUntil(other, 'file')).toBe('file');
    expect(factory.cluster.guests.at(-1)?.channel).toBe(guest);
  });

  it('is had once for a ticket, and not with a wrong one', async () => {
    const path = await factory.ticket('serial');
    const user = await factory.dial(path);
    const again = await factory.dial(path);
    expect(await again.ended).toEqual(CONSOLE_ENDS.badTicket);
    const guessed = await factory.dial(`${path.slice(0, -1)}${path.endsWith('A') ? 'B' : 'A'}`);
    expect(await guessed.ended).toEqual(CONSOLE_ENDS.badTicket);
    user.close(NORMAL_END);
  });

  it('ends for the user with the words of why: the machine went off', async () => {
    const { user, guest } = await factory.open('serial');
    guest.close(CONSOLE_ENDS.machineOff);
    expect(await user.ended).toEqual(CONSOLE_ENDS.machineOff);
  });

  it('ends for the user with the words of why: the executor is restarted', () =>
    alone({}, async (own) => {
      const { user } = await own.open('serial');
      own.cluster.consoles.close();
      expect(await user.ended).toEqual(CONSOLE_ENDS.hostAway);
    }));

  it('ends for the user with the words of why: the host could not open it', async () => {
    factory.cluster.failure = new Error('The machine is off, or has no screen.');
    const user = await factory.dial(await factory.ticket('vnc'));
    const reason = 'The machine is off, or has no screen.';
    expect(await user.ended).toEqual({ code: CONSOLE_ENDS.refused.code, reason });
    factory.cluster.failure = undefined;
  });

  it('ends for the guest when the user leaves', async () => {
    const { user, guest } = await factory.open('serial');
    user.close(NORMAL_END);
    expect((await guest.ended).code).toBe(1000);
  });

  it('ends when the api-server is restarted', () =>
    alone({}, async (own) => {
      const { user, guest } = await own.open('vnc');
      await own.closeApi();
      expect((await user.ended).code).toBe(1012);
      await guest.ended;
    }));

  it('ends when nothing passes for long', () =>
    alone({ idleMs: 300 }, async (own) => {
      expect(await (await own.open('serial')).user.ended).toEqual(CONSOLE_ENDS.idle);
    }));

  it('ends after its longest time, whatever passes', () =>
    alone({ totalMs: 600 }, async (own) => {
      const { user, guest } = await own.open('serial');
      let isOver = false;
      void user.ended.then(() => {
        isOver = true;
      });
      while (!isOver) {
        await guest.send(bytesOf('.'));
        await sleep(systemClock, 20);
      }
      expect(await user.ended).toEqual(CONSOLE_ENDS.tooLong);
    }));

  it('loses nothing of a screen whose user reads late and slowly', async () => {
    const { user, guest } = await factory.open('vnc');
    const chunk = new Uint8Array(128 * 1024).fill(7);
    const total = 64 * chunk.length;
    const sending = (async () => {
      for (let sent = 0; sent < total; sent += chunk.length) await guest.send(chunk);
    })();
    await sleep(systemClock, 200);
    let received = 0;
    for await (const bytes of user.received) {
      received += bytes.length;
      if (received >= total) break;
    }
    expect(received).toBe(total);
    await sending;
  });

  it('is not had by who comes to the inner sockets without being asked', async () => {
    const dialer = createWebSocketDialer(systemClock);
    const id = `op_${'0'.repeat(32)}`;
    const wrong = [
      `${factory.gatewayUrl}${CONSOLE_PATHS.cluster}${id}`,
      `${factory.clusterServerUrl}${CONSOLE_PATHS.relay}${id}`,
      `${factory.gatewayUrl}/v1/vms`,
      `${factory.gatewayUrl}${CONSOLE_PATHS.user}..`,
    ];
    const codes = wrong.map((url) =>
      dialer.dial({ url, timeoutMs: 5_000 }).catch((error: Error) => error.message.slice(-3)),
    );
    expect(await Promise.all(codes)).toEqual(['401', '403', '404', '404']);
  });
});
