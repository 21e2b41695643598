import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExchangeSignatureValid, signExchange } from './link-signing.ts';
import {
  authorizationHeader,
  canonicalRequest,
  isSignatureValid,
  parseAuthorizationHeader,
  type SignedParts,
  signRequest,
} from './request-signing.ts';

const GOLDEN: SignedParts = {
  method: 'post',
  pathWithQuery: '/v1/batches?z=1&dryRun=true&a=%20b',
  body: '{"name":"first","count":8}',
  timestamp: '1767225600',
  nonce: 'bm9uY2UtMDAwMDAwMDE',
};

const parts = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  pathWithQuery: fc
    .tuple(
      fc.stringMatching(/^(\/[a-z0-9:_-]{1,8}){1,4}$/),
      fc.stringMatching(/^([a-z]=[a-z0-9%]{0,4}&){0,3}$/),
    )
    .map(([path, query]) => (query === '' ? path : `${path}?${query.slice(0, -1)}`)),
  body: fc.string(),
  timestamp: fc.integer({ min: 0, max: 2 ** 31 }).map(String),
  nonce: fc.stringMatching(/^[A-Za-z0-9_-]{16,32}$/),
});

describe('request signatures', () => {
  it('are over these bytes, for clients in any language', () => {
    expect(canonicalRequest(GOLDEN)).toBe(
      [
        'POST',
        '/v1/batches',
        'a=%20b&dryRun=true&z=1',
        // printf '{"name":"first","count":8}' | sha256sum
        '08593e86a8460b63e726935e888207088c2803ab1b516f5c41000715ebc7c19e',
        '1767225600',
        'bm9uY2UtMDAwMDAwMDE',
      ].join('\n'),
    );
    // … | openssl dgst -sha256 -hmac 's3cret'
    expect(signRequest('s3cret', GOLDEN)).toBe(
      'd3b843d12c231a78f312c30c8140eed1c54a24ffab556f1890121e89f1cc4127',
    );
  });

  it('are right for what was signed, with the query in any order', () => {
    fc.assert(
      fc.property(parts, fc.string({ minLength: 1 }), (signed, secret) => {
        const signature = signRequest(secret, signed);
        expect(isSignatureValid(secret, signed, signature)).toBe(true);
        const [path, query] = signed.pathWithQuery.split('?');
        const reordered = query === undefined ? '' : `?${query.split('&').toReversed().join('&')}`;
        const moved = { ...signed, pathWithQuery: `${path}${reordered}` };
        expect(isSignatureValid(secret, moved, signature)).toBe(true);
        const bytes = { ...signed, body: Buffer.from(signed.body) };
        expect(isSignatureValid(secret, bytes, signature)).toBe(true);
      }),
    );
  });

  it('are wrong for anything else, and never throw', () => {
    fc.assert(
      fc.property(parts, parts, fc.string(), (signed, other, text) => {
        const signature = signRequest('secret', signed);
        for (const key of ['method', 'pathWithQuery', 'body', 'timestamp', 'nonce'] as const) {
          const changed = { ...signed, [key]: other[key] };
          const isSame = canonicalRequest(changed) === canonicalRequest(signed);
          expect(isSignatureValid('secret', changed, signature)).toBe(isSame);
        }
        expect(isSignatureValid('another secret', signed, signature)).toBe(false);
        expect(isSignatureValid('secret', signed, text)).toBe(false);
      }),
    );
  });

  it('travel in the Authorization header and come back as they were', () => {
    const signature = signRequest('secret', GOLDEN);
    const header = authorizationHeader('key_0123', signature);
    expect(parseAuthorizationHeader(header)).toEqual({ keyId: 'key_0123', signature });
    for (const bad of [
      '',
      'Bearer x',
      header.toUpperCase(),
      `${header} `,
      header.replace('key_0123', 'a b'),
      header.slice(0, -1),
      `${header}\n`,
    ]) {
      expect(parseAuthorizationHeader(bad), JSON.stringify(bad)).toBeUndefined();
    }
  });
});

describe('signatures of the cluster link', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');

  it('are right with the key of the cluster that signed, for what it signed', () => {
    const stranger = generateKeyPairSync('ed25519').publicKey;
    fc.assert(
      fc.property(parts, parts, (signed, other) => {
        const signature = signExchange(privateKey, signed);
        expect(isExchangeSignatureValid(publicKey, signed, signature)).toBe(true);
        expect(isExchangeSignatureValid(stranger, signed, signature)).toBe(false);
        const isSame = canonicalRequest(other) === canonicalRequest(signed);
        expect(isExchangeSignatureValid(publicKey, other, signature)).toBe(isSame);
      }),
      { numRuns: 50 },
    );
  });

  it('are simply wrong when they are malformed', () => {
    for (const bad of ['', 'x', '%%%', Buffer.alloc(64).toString('base64')]) {
      expect(isExchangeSignatureValid(publicKey, GOLDEN, bad)).toBe(false);
    }
  });
});
