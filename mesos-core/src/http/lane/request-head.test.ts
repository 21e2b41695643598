import { systemClock } from '@factory/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlainHeads, readPlainHead } from './request-head.ts';

const PLAIN = [
  'POST /api/v1/scheduler HTTP/1.1',
  'Host: master:5050',
  'Content-Type: application/json',
  'Accept: application/json',
  'Mesos-Stream-Id:  4711 ',
  'User-Agent: a framework',
  'Content-Length: 12',
];

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join('');

describe('the head of a plain request', () => {
  it('is read: names in any case, values without the blanks around them', () => {
    expect(readPlainHead(textOf(PLAIN))).toEqual({
      path: '/api/v1/scheduler',
      bodyBytes: 12,
      contentType: 'application/json',
      accept: 'application/json',
      authorization: undefined,
      streamId: '4711',
    });
  });

  it.each([
    ['of another method', ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 1']],
    ['of another version', ['POST / HTTP/1.0', 'Host: a', 'Content-Length: 1']],
    ['with a whole URL', ['POST http://a/ HTTP/1.1', 'Host: a', 'Content-Length: 1']],
    ['without a host', ['POST / HTTP/1.1', 'Content-Length: 1']],
    ['without a length', ['POST / HTTP/1.1', 'Host: a']],
    ['with a length that is none', ['POST / HTTP/1.1', 'Host: a', 'Content-Length: 0x10']],
    ['with two lengths', [...PLAIN, 'content-length: 12']],
    ['with two stream ids', [...PLAIN, 'mesos-stream-id: 1']],
    ['in chunks', [...PLAIN, 'Transfer-Encoding: chunked']],
    ['that expects an answer before its body', [...PLAIN, 'Expect: 100-continue']],
    ['for the last time', [...PLAIN, 'Connection: close']],
    ['that wants another protocol', [...PLAIN, 'Connection: upgrade', 'Upgrade: h2c']],
    ['with a folded field', [...PLAIN, ' and more']],
    ['with a blank before the colon', [...PLAIN, 'x : y']],
    ['with a line end of its own', [...PLAIN, 'x: a\nb: c']],
    ['with a control character', [...PLAIN, 'x: a\0b']],
    ['with nothing but a colon', [...PLAIN, ': y']],
  ])('is not one %s', (_what, lines) => {
    expect(readPlainHead(textOf(lines))).toBeUndefined();
  });

  it('may keep the connection by name', () => {
    expect(readPlainHead(textOf([...PLAIN, 'Connection: Keep-Alive']))).toBeDefined();
  });

  it('costs no more for blanks without end', () => {
    const startedMs = systemClock.monotonicMs();
    const plain = textOf([...PLAIN, `x:${' '.repeat(8000)}y`]);
    const broken = textOf([...PLAIN, `x:${' \t'.repeat(4000)}\0`]);
    for (let round = 0; round < 100; round += 1) {
      readPlainHead(plain);
      readPlainHead(broken);
    }
    const ownMs = systemClock.monotonicMs() - startedMs;
    const longer = textOf([...PLAIN, `x:${' \t'.repeat(40_000)}\0`]);
    const longStartMs = systemClock.monotonicMs();
    for (let round = 0; round < 100; round += 1) readPlainHead(longer);
    // Ten times as long: a hundred times the work if it were square.
    expect(systemClock.monotonicMs() - longStartMs).toBeLessThan(50 * ownMs + 50);
  });

  it('is never more than one: what follows an empty line or is no field is refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 40 }), (extra) => {
        const head = readPlainHead(textOf([...PLAIN, extra]));
        if (head === undefined) return;
        expect(extra).toMatch(/^[^:\s]+:[^\r\n]*$/);
        expect(head.bodyBytes).toBe(12);
      }),
    );
  });
});

describe('heads that come again', () => {
  it('are the same, however many others came between them', () => {
    const heads = new PlainHeads();
    const first = heads.read(textOf(PLAIN));
    expect(first).toEqual(readPlainHead(textOf(PLAIN)));
    expect(heads.read(textOf(PLAIN))).toBe(first);
    for (let length = 0; length < 5000; length += 1) {
      const lines = [...PLAIN.slice(0, -1), `Content-Length: ${length}`];
      expect(heads.read(textOf(lines))?.bodyBytes).toBe(length);
    }
    expect(heads.read(textOf(PLAIN))).toEqual(first);
    expect(heads.read('GET / HTTP/1.1\r\n')).toBeUndefined();
  });
});
