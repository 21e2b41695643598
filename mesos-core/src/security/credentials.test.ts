import { describe, expect, it } from 'vitest';
import { parseCredential, parseCredentials } from './credentials.ts';

const TWO = [
  { principal: 'alice', secret: 'a1' },
  { principal: 'bob', secret: 'b2' },
];

describe('a file of credentials', () => {
  it.each([
    ['JSON', JSON.stringify({ credentials: TWO })],
    ['lines', 'alice a1\n\n  bob   b2  \n'],
  ])('can be %s', (_form, text) => {
    expect(parseCredentials(text)).toEqual(TWO);
  });

  it.each([
    ['a cut JSON', '{"credentials": [{"principal": "hunter2"'],
    ['JSON without a list', '{"principal": "a", "secret": "hunter2"}'],
    ['an entry without a secret', '{"credentials": [{"principal": "a", "password": "hunter2"}]}'],
    ['a line of three words', 'a b hunter2'],
    ['a line of one word', 'hunter2'],
    ['a principal twice', 'a hunter2\na hunter3'],
  ])('is refused when it is %s, without a word of its content', (_what, text) => {
    expect(() => parseCredentials(text)).toThrow(expect.not.stringContaining('hunter'));
  });
});

describe("an agent's credential", () => {
  it.each(['{"principal": "agent", "secret": "s"}', 'agent s\n'])('is read from %j', (text) => {
    expect(parseCredential(text)).toEqual({ principal: 'agent', secret: 's' });
  });

  it('is exactly one', () => {
    expect(() => parseCredential('a b\nc d')).toThrow('expecting one credential, there are 2');
    expect(() => parseCredential('\n')).toThrow('there are 0');
  });
});
