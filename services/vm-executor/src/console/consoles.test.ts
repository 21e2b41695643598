import { CONSOLES_PER_VM_MAX, type ConsoleKind } from '@factory/contracts';
import { type ByteChannel, channelPair, NORMAL_END, silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { testOperationId, testVmId } from '../testing.ts';
import { Consoles } from './consoles.ts';

const RELAY = { url: 'http://cluster-server', token: 't'.repeat(43) };

/** A host's consoles, and a relay of which the test has the other ends. */
function open() {
  const clock = new VirtualClock();
  const relayed: ByteChannel[] = [];
  const guests: ByteChannel[] = [];
  const trouble: { dial?: Error; hangs?: true } = {};
  const consoles = new Consoles({
    ...{ clock, logger: silentLogger },
    port: {
      open: async () => {
        if (trouble.hangs) await new Promise(() => undefined);
        const [guest, near] = channelPair();
        guests.push(guest);
        return near;
      },
    },
    dialer: {
      dial: async ({ url, headers }) => {
        if (trouble.dial !== undefined) throw trouble.dial;
        expect(url).toMatch(/^http:\/\/cluster-server\/v1\/console-relay\/op_/);
        expect(Object.values(headers ?? {})).toEqual([RELAY.token]);
        const [near, far] = channelPair();
        relayed.push(far);
        return near;
      },
    },
  });
  const ask = (number: number, kind: ConsoleKind = 'vnc') =>
    consoles.open({
      operationId: testOperationId(number),
      vmId: testVmId(1),
      kind: 'console',
      params: { kind, relay: RELAY },
    });
  return { clock, consoles, relayed, guests, trouble, ask };
}

describe("a host's consoles", () => {
  it('are brought to the relay once, however often they are asked for', async () => {
    const { ask, relayed, guests } = open();
    await Promise.all([ask(1), ask(1)]);
    await ask(1);
    expect([relayed.length, guests.length]).toEqual([1, 1]);
    await guests[0]?.send(Buffer.from('RFB'));
    for await (const bytes of relayed[0]?.received ?? []) {
      expect(Buffer.from(bytes).toString()).toBe('RFB');
      break;
    }
  });

  it('are bounded for each machine and kind; one that is left makes room', async () => {
    const { ask, relayed, guests } = open();
    for (let number = 0; number < CONSOLES_PER_VM_MAX; number += 1) await ask(number);
    await expect(ask(100)).rejects.toThrow('open already; close one');
    await ask(101, 'serial');
    relayed[0]?.close(NORMAL_END);
    await guests[0]?.ended;
    let number = 102;
    const again = async (): Promise<string> => {
      number += 1;
      return ask(number).then(
        () => 'open',
        () => 'full',
      );
    };
    await expect.poll(again).toBe('open');
  });

  it('leave nothing open when the relay can not be reached, or the hypervisor hangs', async () => {
    const { ask, guests, trouble, clock } = open();
    trouble.dial = new Error('answered 502');
    await expect(ask(1)).rejects.toThrow('The way from the host to the API server is broken');
    await guests[0]?.ended;
    trouble.hangs = true;
    const asked = expect(ask(2)).rejects.toThrow('opening the vnc console did not finish');
    await clock.run(10_000);
    await asked;
  });

  it('all end with the executor, those too that are just being opened', async () => {
    const { ask, consoles, relayed } = open();
    await ask(1);
    const opening = ask(2);
    consoles.close();
    await opening;
    const ends = await Promise.all(relayed.map(({ ended }) => ended));
    expect(ends.map(({ code }) => code)).toEqual([4503, 4503]);
  });
});
