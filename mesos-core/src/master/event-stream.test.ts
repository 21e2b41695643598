import type { Readable } from 'node:stream';
import { atTurnEnd } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readableBody } from '../http/readable-body.ts';
import { EventStream } from './event-stream.ts';

const MANY = 100_000;
/** As large as a task's status. */
const PADDING = 'x'.repeat(500);

let made = 0;
let stream: EventStream<string>;
let body: Readable;

beforeEach(() => {
  made = 0;
  stream = new EventStream<string>({
    id: 'stream',
    clock: new VirtualClock(),
    encode: (event) => Buffer.from(event),
    heartbeat: 'heartbeat',
    heartbeatIntervalMs: 15_000,
    onClosed: () => undefined,
  });
  body = readableBody(stream);
});

afterEach(() => {
  body.destroy();
});

function* events(count: number): Generator<string | undefined> {
  for (let index = 0; index < count; index += 1) {
    made += 1;
    // Every tenth comes to nothing.
    yield index % 10 === 9 ? undefined : `${index} ${PADDING}`;
  }
}

/** The first words of what a reader gets that takes all at once, until `last` is among it. */
async function read(body: Readable, last: string): Promise<readonly string[]> {
  const chunks: string[] = [];
  for await (const chunk of body) {
    chunks.push(String(chunk));
    if (chunks.at(-1)?.endsWith(last)) break;
  }
  return [...chunks.join('').matchAll(/\n(\w+)/g)].map(([, word = '']) => word);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise<void>(atTurnEnd);
}

describe('events that are sent at the pace of the reader', () => {
  it('all arrive in order, though together they are beyond the bound', async () => {
    stream.sendPaced(events(MANY), MANY);
    stream.sendPaced(['last'], 1);
    const words = await read(body, 'last');
    const expected = Array.from({ length: MANY }, (_, index) => index).filter((n) => n % 10 !== 9);
    expect(words).toEqual([...expected.map(String), 'last']);
  });

  it('let others pass between them', async () => {
    stream.sendPaced(events(MANY), MANY);
    expect(made).toBeLessThan(MANY / 100);
    stream.send('news');
    stream.sendPaced(['last'], 1);
    const words = await read(body, 'last');
    expect(words.indexOf('news')).toBeLessThan(MANY / 100);
    expect(words.at(-1)).toBe('last');
  });

  it('are not made for a reader that takes none; it is not cut off for that', async () => {
    stream.sendPaced(events(MANY), MANY);
    await turns(MANY / 100);
    expect(made).toBeLessThan(MANY / 10);
    expect(body.readableLength).toBeLessThan(2 * 1024 * 1024);
    expect(body.destroyed).toBe(false);
  });

  it('are not made when the reader has gone, or the stream has ended', async () => {
    stream.sendPaced(events(MANY), MANY);
    const before = made;
    body.destroy();
    await turns(10);
    expect(body.destroyed).toBe(true);
    stream.sendPaced(events(MANY), MANY);
    expect(made).toBe(before);
  });

  it('end with the stream', async () => {
    stream.sendPaced(events(MANY), MANY);
    stream.send('goodbye');
    stream.end();
    const words = await read(body, 'never');
    expect(words.at(-1)).toBe('goodbye');
    expect(words.length).toBeLessThan(MANY / 100);
  });

  it('cut off a reader that lets far too many of them wait', async () => {
    for (let lot = 0; lot < 5; lot += 1) stream.sendPaced(events(MANY), MANY);
    await turns(2);
    expect(body.destroyed).toBe(true);
  });
});
