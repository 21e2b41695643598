import { createHmac, timingSafeEqual } from 'node:crypto';

/** The claims of a token, before anything of them is believed. */
export type Claims = Readonly<Record<string, unknown>>;

/** Longest token that is looked at. */
const TOKEN_CHARS_MAX = 8192;
const HEADER = encode({ alg: 'HS256', typ: 'JWT' });

/** A JSON web token over `claims`, signed with HMAC-SHA256 (RFC 7519, as Mesos makes them). */
export function signJwt(claims: Claims, key: string): string {
  const signed = `${HEADER}.${encode(claims)}`;
  return `${signed}.${signatureOf(signed, key).toString('base64url')}`;
}

/** What a token says, or why it is not believed. */
export type JwtResult =
  | { readonly kind: 'valid'; readonly claims: Claims }
  | { readonly kind: 'invalid'; readonly problem: string };

/**
 * Checks signature, algorithm (HS256 only: a token must not choose how it is checked) and `exp`.
 * @param nowMs wall-clock time.
 */
export function verifyJwt(token: string, key: string, nowMs: number): JwtResult {
  if (token.length > TOKEN_CHARS_MAX) return invalid('it is too long');
  const [header = '', payload = '', signature, ...rest] = token.split('.');
  if (signature === undefined || rest.length > 0) return invalid('expecting three components');
  const claimedHeader = decode(header);
  if (claimedHeader === undefined) return invalid('the header is no JSON object');
  if (claimedHeader.alg !== 'HS256') return invalid('unsupported algorithm');
  const given = Buffer.from(signature, 'base64url');
  const expected = signatureOf(`${header}.${payload}`, key);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return invalid('the signature does not match');
  }
  const claims = decode(payload);
  if (claims === undefined) return invalid('the payload is no JSON object');
  if (claims.exp !== undefined) {
    if (typeof claims.exp !== 'number') return invalid("'exp' is no number");
    if (claims.exp * 1000 <= nowMs) return invalid('the token has expired');
  }
  return { kind: 'valid', claims };
}

function invalid(problem: string): JwtResult {
  return { kind: 'invalid', problem };
}

function signatureOf(text: string, key: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function encode(value: Claims): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}
