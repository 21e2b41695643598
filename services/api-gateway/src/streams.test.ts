import type { HttpStream } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

/** A stream through a gateway, and what came of it. */
async function open(world: World, headers: Record<string, string> = {}) {
  const path = '/v1/events/stream?types=vm.ready';
  const asked = world.network.transport('client').stream({
    method: 'GET',
    url: `http://gateway${path}`,
    headers: { ...headers, ...world.sign('GET', path) },
    timeoutMs: 10_000,
  });
  const stream: HttpStream = await settled(world, asked);
  const seen: { text: string; isOver: boolean } = { text: '', isOver: false };
  (async () => {
    for await (const part of stream.body) {
      seen.text += Buffer.from(part).toString();
      world.clock.noteActivity();
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      seen.isOver = true;
      world.clock.noteActivity();
    });
  return { stream, seen };
}

async function settled<T>(world: World, work: Promise<T>): Promise<T> {
  let isOver = false;
  const mark = (): void => {
    isOver = true;
    world.clock.noteActivity();
  };
  work.then(mark, mark);
  await world.clock.runUntil(() => isOver, 60_000, 'the answer');
  return work;
}

describe('a stream through the gateway', () => {
  const create = async () => {
    const world = await World.create();
    const sent: { write(text: string): void; end(): void; isClosed(): boolean }[] = [];
    world.apiServer.stream = (raw) => {
      let isClosed = false;
      raw.on('close', () => {
        isClosed = true;
      });
      raw.writeHead(200, { 'content-type': 'text/event-stream' });
      sent.push({
        write: (text) => raw.write(text),
        end: () => raw.end(),
        isClosed: () => isClosed,
      });
    };
    return { world, sent };
  };

  it('is sent on part by part, with the place to go on from, and for longer than a call may take', async () => {
    const { world, sent } = await create();
    const { stream, seen } = await open(world, { 'last-event-id': '17' });
    expect(stream.headers['content-type']).toBe('text/event-stream');
    expect(world.apiServer.seen.at(-1)?.headers['last-event-id']).toBe('17');
    for (let minute = 1; minute <= 3; minute += 1) {
      sent[0]?.write(`: ${minute}\n\n`);
      await world.clock.runUntil(() => seen.text.includes(`: ${minute}`), 5_000, 'the part');
      await world.clock.run(50_000);
    }
    expect(seen.isOver).toBe(false);
    sent[0]?.end();
    await world.clock.runUntil(() => seen.isOver, 5_000, 'the end');
  });

  it('ends when the key is revoked', async () => {
    const { world, sent } = await create();
    const { seen } = await open(world);
    world.apiServer.isRevoked = true;
    await world.clock.runUntil(() => seen.isOver, 15_000, 'the end');
    await world.clock.runUntil(() => sent[0]?.isClosed() === true, 5_000, 'the other end');
  });

  it('ends when the api-server says nothing for longer than its heartbeats take', async () => {
    const { world } = await create();
    const { seen } = await open(world);
    await world.clock.runUntil(() => seen.isOver, 70_000, 'the end');
  });

  it('gives the problem when there is no stream', async () => {
    const { world } = await create();
    world.apiServer.stream = undefined;
    world.apiServer.answer = () => {
      throw Object.assign(new Error('too old'), { statusCode: 410 });
    };
    const answer = await world.sendSigned('GET', '/v1/events/stream?after=1');
    expect(answer.status).toBe(410);
  });
});
