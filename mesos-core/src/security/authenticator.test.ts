import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from './authenticator.ts';
import { signJwt, verifyJwt } from './jwt.ts';

const REALM = 'mesos-master-readwrite';
const KEY = 'a key';
const credentials = [
  { principal: 'alice', secret: 'se:cret' },
  { principal: 'nobody', secret: '' },
];

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('HTTP basic', () => {
  const authenticate = createAuthenticator({ realm: REALM, credentials });

  it('accepts a principal with its secret, colons and all', () => {
    expect(authenticate(basic('alice:se:cret'), 0)).toEqual({
      kind: 'authenticated',
      principal: { value: 'alice', claims: {} },
    });
  });

  it.each([
    undefined,
    '',
    'Basic',
    basic('alice'),
    basic('alice:'),
    basic('alice:secret'),
    basic('bob:se:cret'),
    basic(':'),
    basic('bob:'),
    'Basic %%%',
    'Digest username="alice"',
    `Bearer ${signJwt({ sub: 'alice' }, KEY)}`,
  ])('refuses %j with a challenge for the realm', (header) => {
    const challenges = ['Basic realm="mesos-master-readwrite"'];
    expect(authenticate(header, 0)).toEqual({ kind: 'refused', challenges });
  });

  it('accepts nothing but the pairs it has', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (principal, secret) => {
        const isKnown = credentials.some(
          (each) => `${each.principal}:${each.secret}` === `${principal}:${secret}`,
        );
        const { kind } = authenticate(basic(`${principal}:${secret}`), 0);
        expect(kind).toBe(isKnown ? 'authenticated' : 'refused');
      }),
    );
  });
});

describe('bearer tokens', () => {
  const authenticate = createAuthenticator({ realm: REALM, jwtSecretKey: KEY });
  const NOW_MS = 1_700_000_000_000;

  it('carry a principal and claims', () => {
    const token = signJwt({ sub: 'alice', fid: 'f1', level: 3, list: [1] }, KEY);
    expect(authenticate(`Bearer ${token}`, NOW_MS)).toEqual({
      kind: 'authenticated',
      principal: { value: 'alice', claims: { sub: 'alice', fid: 'f1', level: '3' } },
    });
  });

  it('end with their `exp`', () => {
    const token = signJwt({ exp: NOW_MS / 1000 }, KEY);
    expect(authenticate(`Bearer ${token}`, NOW_MS - 1).kind).toBe('authenticated');
    expect(authenticate(`Bearer ${token}`, NOW_MS)).toEqual({
      kind: 'refused',
      challenges: [
        'Bearer realm="mesos-master-readwrite", error="invalid_token", ' +
          'error_description="Invalid JWT: the token has expired"',
      ],
    });
  });

  it.each([
    ['of another key', signJwt({ sub: 'a' }, 'another key')],
    ['without algorithm', `${base64({ alg: 'none' })}.${base64({ sub: 'a' })}.`],
    ['of two parts', `${base64({ alg: 'HS256' })}.${base64({})}`],
    ['that are no JSON', signedParts('x', 'y')],
    ['whose payload is a list', signedParts(base64({ alg: 'HS256' }), base64([]))],
    ['that expire at a text', signJwt({ exp: 'never' }, KEY)],
    ['that are endless', `${'a'.repeat(100_000)}.b.c`],
    ['that are empty', ''],
  ])('%s are refused', (_what, token) => {
    expect(authenticate(`Bearer ${token}`, NOW_MS).kind).toBe('refused');
  });

  it('with any one character changed are refused', () => {
    const token = signJwt({ sub: 'alice', fid: 'f1' }, KEY);
    for (let index = 0; index < token.length - 1; index += 1) {
      const other = token[index] === 'A' ? 'B' : 'A';
      const changed = token.slice(0, index) + other + token.slice(index + 1);
      expect(verifyJwt(changed, KEY, NOW_MS).kind).toBe('invalid');
    }
  });

  it('are named beside passwords in the challenge where both are accepted', () => {
    const both = createAuthenticator({ realm: 'r', credentials, jwtSecretKey: KEY });
    expect(both(undefined, 0)).toEqual({
      ...{ kind: 'refused', challenges: ['Basic realm="r"', 'Bearer realm="r"'] },
    });
    expect(both(basic('alice:se:cret'), 0).kind).toBe('authenticated');
  });
});

function signedParts(header: string, payload: string): string {
  const signature = createHmac('sha256', KEY).update(`${header}.${payload}`).digest('base64url');
  return `${header}.${payload}.${signature}`;
}
