import {
  atTurnEnd,
  type Clock,
  createUndiciTransport,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { gatherPieces, type Pieces, sendPieces } from './sliced-answer.ts';

/** Time passes by one millisecond whenever somebody looks. */
function tickingClock(): Clock {
  const clock = new VirtualClock();
  let nowMs = 0;
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => nowMs++,
    after: (delayMs, callback) => clock.after(delayMs, callback),
  };
}

async function answer(clock: Clock, pieces: () => Pieces) {
  const app = fastify();
  app.get('/', (_request, reply) => sendPieces(reply.type('text/plain'), clock, pieces()));
  const response = await app.inject('/');
  await app.close();
  return response;
}

describe('an answer that is made while it is sent', () => {
  it('has a length when it is ready at once', async () => {
    const { headers, body } = await answer(new VirtualClock(), () => ['a', '', Buffer.from('b')]);
    expect(body).toBe('ab');
    expect(headers['content-length']).toBe('2');
  });

  it('is complete and in order when it takes many slices', async () => {
    const words = Array.from({ length: 20_000 }, (_, index) => `word ${index}, `);
    const { headers, body } = await answer(tickingClock(), () => words);
    expect(body).toBe(words.join(''));
    expect(headers['content-length']).toBeUndefined();
  });

  it('lets others have a turn after each slice', async () => {
    let turns = 0;
    let isOver = false;
    const takeTurn = (): void => {
      turns += 1;
      if (!isOver) atTurnEnd(takeTurn);
    };
    takeTurn();
    const letters = Array.from({ length: 1000 }, () => 'x');
    const chunks = await gatherPieces(letters, tickingClock());
    isOver = true;
    expect(Buffer.concat(chunks)).toHaveLength(1000);
    expect(turns).toBeGreaterThan(100);
  });

  it('is not made any further when its reader goes away or does not read', async () => {
    let made = 0;
    let isOver = false;
    function* pieces() {
      try {
        for (; ; made += 1) yield 'x'.repeat(1024);
      } finally {
        isOver = true;
      }
    }
    const app = fastify();
    app.get('/', (_request, reply) => sendPieces(reply, tickingClock(), pieces()));
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const transport = createUndiciTransport();
    const { status, close } = await transport.stream({ method: 'GET', url, timeoutMs: 5000 });
    expect(status).toBe(200);
    let before = -1;
    await waitFor(systemClock, 'the answer to wait for its reader', 5000, () => {
      const hasStopped = made === before;
      before = made;
      return hasStopped ? made : undefined;
    });
    // What the connection holds on both sides, and a little ahead: not the endless answer.
    expect(before).toBeLessThan(64 * 1024);
    close();
    await waitFor(systemClock, 'the answer to be given up', 5000, () => isOver || undefined);
    await transport.close();
    await app.close();
  });
});
