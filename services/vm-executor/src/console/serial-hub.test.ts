import { type ByteChannel, channelPair, NORMAL_END, silentLogger } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { testVmId } from '../testing.ts';
import { SerialHub } from './serial-hub.ts';

const vmId = testVmId(1);
const OFF = { code: 4410, reason: 'off' };
const bytesOf = (text: string): Uint8Array => Buffer.from(text);

function hubOf() {
  const guests: ByteChannel[] = [];
  const hub = new SerialHub(async () => {
    const [guest, upstream] = channelPair();
    guests.push(guest);
    return upstream;
  }, silentLogger);
  return { hub, guests };
}

/** Reads until the text has come. */
async function readUntil(channel: ByteChannel, text: string): Promise<string> {
  let seen = '';
  for await (const bytes of channel.received) {
    seen += Buffer.from(bytes).toString('utf8');
    if (seen.includes(text)) return seen;
  }
  return seen;
}

describe('a serial console that is shared', () => {
  it('is opened once, shown to all, and typed on by all', async () => {
    const { hub, guests } = hubOf();
    const [one, other] = await Promise.all([hub.attach(vmId), hub.attach(vmId)]);
    expect(guests).toHaveLength(1);
    const [guest] = guests;
    await guest?.send(bytesOf('login: '));
    expect(await readUntil(one, 'login: ')).toBe('login: ');
    expect(await readUntil(other, 'login: ')).toBe('login: ');
    await one.send(bytesOf('ro'));
    await other.send(bytesOf('ot'));
    expect(guest && (await readUntil(guest, 'root'))).toBe('root');
  });

  it('is let go when the last one leaves, and opened anew for the next', async () => {
    const { hub, guests } = hubOf();
    const [one, other] = await Promise.all([hub.attach(vmId), hub.attach(vmId)]);
    one.close(NORMAL_END);
    await guests[0]?.send(bytesOf('still here'));
    expect(await readUntil(other, 'here')).toBe('still here');
    other.close(NORMAL_END);
    await guests[0]?.ended;
    await hub.attach(vmId);
    expect(guests).toHaveLength(2);
  });

  it('ends for all with its own reason', async () => {
    const { hub, guests } = hubOf();
    const viewers = await Promise.all([hub.attach(vmId), hub.attach(vmId)]);
    guests[0]?.close(OFF);
    expect(await Promise.all(viewers.map((each) => each.ended))).toEqual([OFF, OFF]);
  });

  it('waits for nobody who does not read: that one misses a part, and is told so', async () => {
    const { hub, guests } = hubOf();
    const slow = await hub.attach(vmId);
    const line = `${'x'.repeat(1_023)}\n`;
    for (let sent = 0; sent < 2_000; sent += 1) await guests[0]?.send(bytesOf(line));
    const seen = await readUntil(slow, 'the log has them]');
    expect(seen.length).toBeLessThan(1_000_000);
    const missed = Number(/\[(\d+) bytes came too fast/.exec(seen)?.[1]);
    expect(missed).toBeGreaterThan(1_000_000);
  });

  it('can be opened when it could not be before', async () => {
    let isBroken = true;
    const hub = new SerialHub(async () => {
      if (isBroken) throw new Error('somebody else has it');
      return channelPair()[0];
    }, silentLogger);
    await expect(hub.attach(vmId)).rejects.toThrow('somebody else has it');
    isBroken = false;
    await hub.attach(vmId);
  });
});
