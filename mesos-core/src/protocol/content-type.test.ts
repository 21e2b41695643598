import { describe, expect, it } from 'vitest';
import { requestEncoding, responseEncoding } from './content-type.ts';

describe('Content-Type', () => {
  it.each([
    ['application/json', 'json'],
    ['application/json; charset=utf-8', 'json'],
    ['Application/X-Protobuf', 'protobuf'],
  ])('%s is %s', (header, encoding) => {
    expect(requestEncoding(header)).toBe(encoding);
  });

  it.each([
    [undefined, 400],
    ['text/plain', 415],
    ['application/recordio', 415],
  ])('%s is refused with %d', (header, status) => {
    expect(() => requestEncoding(header)).toThrow(expect.objectContaining({ status }));
  });
});

describe('Accept', () => {
  it.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/*;q=0.5', 'json'],
    ['application/x-protobuf', 'protobuf'],
    ['application/x-protobuf, application/json', 'json'],
    ['application/json;q=0, */*', 'protobuf'],
    ['text/html, application/x-protobuf;q=0.9', 'protobuf'],
  ])('%s gets %s', (header, encoding) => {
    expect(responseEncoding(header)).toBe(encoding);
  });

  it('neither is refused with 406', () => {
    expect(() => responseEncoding('text/html')).toThrow(expect.objectContaining({ status: 406 }));
  });
});
