import { describe, expect, it } from 'vitest';
import { createHttpApp } from '../http/app.ts';
import { describeTransportContract } from '../http/transport.contract.ts';
import { HttpTransportError } from '../http/transport.ts';
import { silentLogger } from '../log.ts';
import { seededRandom } from './seeded-random.ts';
import { type Faults, SimulatedNetwork } from './simulated-network.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Runs virtual time until the promise settles. */
async function during<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let settled = false;
  const mark = (): void => {
    settled = true;
    clock.noteActivity();
  };
  work.then(mark, mark);
  await clock.runUntil(() => settled, 60_000);
  return work;
}

describeTransportContract('the simulated network', async () => {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
  return {
    transport: network.transport('client'),
    nobody: 'http://nobody',
    async serve(app) {
      await network.attach('http://server:80', app);
      return 'http://server';
    },
    stop: async (origin) => network.detach(origin),
    during: (work) => during(clock, work),
    close: async () => undefined,
  };
});

const ORIGIN = 'http://server';

/** A server that counts, a client, and a network with the given faults. */
async function setUp(faults: Partial<Faults>, seed: number | string = 1) {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(seed), faults });
  const random = seededRandom('ids');
  const app = createHttpApp({ service: 'test', clock, logger: silentLogger, random });
  const served: string[] = [];
  const closed: number[] = [];
  app.get<{ Params: { n: string } }>('/count/:n', async (request) => {
    served.push(`${request.params.n}@${clock.monotonicMs().toFixed(3)}`);
    return { n: request.params.n };
  });
  app.get('/ticks', (_request, reply) => {
    reply.hijack();
    let n = 0;
    const tick = (): void => {
      reply.raw.write(`${n};`);
      n += 1;
      timer = clock.after(1000, tick);
    };
    let timer = clock.after(0, tick);
    reply.raw.on('close', () => {
      closed.push(clock.monotonicMs());
      timer.cancel();
    });
  });
  await network.attach(ORIGIN, app);
  const transport = network.transport('client');
  const get = (path: string, timeoutMs = 5000) =>
    transport.request({ method: 'GET', url: `${ORIGIN}${path}`, timeoutMs });
  const ticks = () => {
    const url = `${ORIGIN}/ticks`;
    return during(clock, transport.stream({ method: 'GET', url, timeoutMs: 5000 }));
  };
  return { clock, network, app, served, closed, get, ticks };
}

describe('faults', () => {
  it('a dropped request never arrives, and fails at its deadline', async () => {
    const { clock, network, served, get } = await setUp({ dropRequest: 1 });
    await expect(during(clock, get('/count/1'))).rejects.toThrow('5000 ms');
    expect(clock.monotonicMs()).toBe(5000);
    expect(served).toEqual([]);
    expect(network.statistics.droppedRequests).toBe(1);
  });

  it('a request whose answer is dropped is carried out', async () => {
    const { clock, served, get } = await setUp({ dropResponse: 1 });
    await expect(during(clock, get('/count/1'))).rejects.toThrow(HttpTransportError);
    expect(served).toHaveLength(1);
  });

  it('a duplicated request is carried out twice and answered once', async () => {
    const { clock, served, get } = await setUp({ duplicate: 1 });
    const response = await during(clock, get('/count/7'));
    expect(response.status).toBe(200);
    await clock.run(1000);
    expect(served.map((entry) => entry.split('@')[0])).toEqual(['7', '7']);
  });

  it('delays there and back', async () => {
    const { clock, get } = await setUp({ delayMs: [100, 100] });
    await during(clock, get('/count/1'));
    expect(clock.monotonicMs()).toBe(200);
  });

  it('keeps the chunks of a stream in order, whatever their delays', async () => {
    const { clock, network, ticks } = await setUp({});
    let text = '';
    let done = false;
    const stream = await ticks();
    network.setFaults({ delayMs: [0, 10_000] });
    const reading = (async () => {
      for await (const chunk of stream.body) text += Buffer.from(chunk).toString();
      done = true;
    })();
    await clock.run(60_000);
    stream.close();
    await during(clock, reading);
    expect(done).toBe(true);
    const numbers = text.split(';').filter(Boolean).map(Number);
    expect(numbers.length).toBeGreaterThan(40);
    expect(numbers).toEqual(numbers.map((_, index) => index));
  });

  it('breaks a doomed stream on both sides', async () => {
    const { clock, network, ticks, closed } = await setUp({ dropResponse: 1 });
    const stream = await ticks();
    const reading = (async () => {
      for await (const chunk of stream.body) expect(chunk.byteLength).toBeGreaterThan(0);
    })();
    await expect(during(clock, reading)).rejects.toThrow('connection reset');
    expect(clock.monotonicMs()).toBeLessThan(31_000);
    expect(closed).toHaveLength(1);
    expect(network.statistics.brokenStreams).toBe(1);
  });
});

describe('cuts', () => {
  it('lose new calls in both directions of naming, until healed', async () => {
    const { clock, network, served, get } = await setUp({});
    network.cut('http://server:80', 'client');
    await expect(during(clock, get('/count/1'))).rejects.toThrow('5000 ms');
    expect(served).toEqual([]);
    network.heal('client', 'http://server');
    expect((await during(clock, get('/count/1'))).status).toBe(200);
  });

  it('leave others alone', async () => {
    const { clock, network, get } = await setUp({});
    network.cut('other', ORIGIN);
    expect((await during(clock, get('/count/1'))).status).toBe(200);
  });

  it('silence a stream without breaking it; what was sent arrives after the healing', async () => {
    const { clock, network, ticks } = await setUp({});
    let text = '';
    const stream = await ticks();
    const reading = (async () => {
      for await (const chunk of stream.body) text += Buffer.from(chunk).toString();
    })();
    await clock.run(2500);
    expect(text).toBe('0;1;2;');
    network.cut('client', ORIGIN);
    await clock.run(3000);
    expect(text).toBe('0;1;2;');
    network.heal();
    await clock.run(100);
    expect(text).toBe('0;1;2;3;4;5;');
    stream.close();
    await during(clock, reading);
  });

  it('hide a hang-up from the server until they heal', async () => {
    const { clock, network, ticks, closed } = await setUp({});
    const stream = await ticks();
    network.cut('client', ORIGIN);
    stream.close();
    await clock.run(10_000);
    expect(closed).toEqual([]);
    network.heal();
    await clock.run(10);
    expect(closed).toHaveLength(1);
  });
});

describe('one seed', () => {
  const history = async (seed: string): Promise<string> => {
    const faults = { dropRequest: 0.1, dropResponse: 0.1, duplicate: 0.2 };
    const { clock, served, get } = await setUp({ ...faults, delayMs: [1, 500] }, seed);
    const outcomes: string[] = [];
    const calls = Array.from({ length: 200 }, (_, n) =>
      get(`/count/${n}`).then(
        (response) => outcomes.push(`${n}:${response.status}`),
        (error: unknown) => outcomes.push(`${n}:${error}`),
      ),
    );
    await during(clock, Promise.all(calls));
    await clock.run(10_000);
    return JSON.stringify({ served, outcomes });
  };

  it('gives one history, another seed another', async () => {
    const [first, again, other] = [await history('a'), await history('a'), await history('b')];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });
});
