import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlainHeads } from './request-head.ts';
import { RequestReader } from './request-reader.ts';

const HERE = '/here';
const heads = new PlainHeads();

function newReader(): RequestReader {
  return new RequestReader(heads, ({ path }) =>
    path === HERE ? { caller: undefined } : undefined,
  );
}

function request(body: string, path = HERE): string {
  const length = Buffer.byteLength(body);
  return `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

/** What is read of the bytes when they come in these parts. */
function read(parts: readonly Buffer[]): { bodies: string[]; rest: string | undefined } {
  const reader = newReader();
  const bodies: string[] = [];
  let isOther = false;
  for (const part of parts) {
    reader.push(part);
    for (let next = reader.next(); !isOther && next.type !== 'incomplete'; next = reader.next()) {
      if (next.type === 'request') bodies.push(next.request.body.toString());
      else isOther = true;
    }
  }
  return { bodies, rest: isOther ? reader.rest().toString() : undefined };
}

/** The bytes, cut at these places. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const ends = [...places, 1].map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });

describe('the requests of a connection', () => {
  it('are found whatever pieces their bytes come in', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 6 }), places, (bodies, at) => {
        const text = bodies.map((body) => request(body)).join('');
        expect(read(cut(text, at))).toEqual({ bodies, rest: undefined });
      }),
    );
  });

  it('end with the first that is for another server, of which nothing is lost', () => {
    const others = fc.constantFrom(
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      request('abc', '/elsewhere'),
      'POST /here HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '\x16\x03\x01 no HTTP at all',
    );
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 3 }), others, places, (bodies, other, at) => {
        const rest = `${other}${request('later')}`;
        const result = read(cut(bodies.map((body) => request(body)).join('') + rest, at));
        expect(result).toEqual({ bodies, rest });
      }),
    );
  });

  it('with a head that never ends are for another server', () => {
    const endless = `POST /here HTTP/1.1\r\nx: ${'y'.repeat(20_000)}`;
    expect(read(cut(endless, [0.2, 0.4, 0.6, 0.8])).rest).toBe(endless);
  });

  it('leave nothing in memory once they were read', () => {
    const reader = newReader();
    expect(reader.isWithin).toBe(false);
    reader.push(Buffer.from(request('abc').slice(0, -1)));
    expect(reader.next().type).toBe('incomplete');
    expect(reader.isWithin).toBe(true);
    reader.push(Buffer.from('c'));
    expect(reader.next().type).toBe('request');
    expect(reader.isWithin).toBe(false);
    expect(reader.rest().buffer.byteLength).toBeLessThan(10_000);
  });
});
