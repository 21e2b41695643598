import { createHash, timingSafeEqual } from 'node:crypto';
import type { PlainCredential } from './credentials.ts';
import { type Claims, verifyJwt } from './jwt.ts';
import type { Principal } from './principal.ts';

/** What became of an `Authorization` header. */
export type Authentication =
  | { readonly kind: 'authenticated'; readonly principal: Principal }
  /** Answered with 401; the challenges go into `WWW-Authenticate`. */
  | { readonly kind: 'refused'; readonly challenges: readonly string[] };

/** Decides who a caller of one realm is. */
export type Authenticator = (authorization: string | undefined, nowMs: number) => Authentication;

/** What callers can prove who they are with; without either nobody can. */
export interface AuthenticatorOptions {
  readonly realm: string;
  readonly credentials?: readonly PlainCredential[] | undefined;
  readonly jwtSecretKey?: string | undefined;
}

/** Accepts HTTP basic with one of the credentials, and bearer tokens signed with the key. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { realm, credentials, jwtSecretKey } = options;
  const digests = new Map(
    (credentials ?? []).map(({ principal, secret }) => [principal, digest(secret)]),
  );
  const challenges = [
    ...(credentials === undefined ? [] : [`Basic realm="${realm}"`]),
    ...(jwtSecretKey === undefined ? [] : [`Bearer realm="${realm}"`]),
  ];
  const refused = { kind: 'refused', challenges } as const;
  return (authorization, nowMs) => {
    const [scheme = '', value = ''] = (authorization ?? '').split(' ', 2);
    switch (scheme.toLowerCase()) {
      case 'basic': {
        const principal = basicPrincipal(digests, value);
        return principal === undefined ? refused : { kind: 'authenticated', principal };
      }
      case 'bearer':
        return jwtSecretKey === undefined ? refused : checkToken(value, jwtSecretKey, realm, nowMs);
      default:
        return refused;
    }
  };
}

function basicPrincipal(
  digests: ReadonlyMap<string, Buffer>,
  base64: string,
): Principal | undefined {
  const pair = Buffer.from(base64, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  const name = pair.slice(0, colon);
  const known = digests.get(name);
  // An unknown name takes as long as a wrong secret.
  const isRight = timingSafeEqual(known ?? digest(''), digest(pair.slice(colon + 1)));
  return known !== undefined && isRight ? { value: name, claims: {} } : undefined;
}

/** Of equal length for all secrets, as a comparison in constant time needs it. */
function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function checkToken(token: string, key: string, realm: string, nowMs: number): Authentication {
  const result = verifyJwt(token, key, nowMs);
  if (result.kind === 'valid') {
    return { kind: 'authenticated', principal: principalOf(result.claims) };
  }
  const error = `error="invalid_token", error_description="Invalid JWT: ${result.problem}"`;
  return { kind: 'refused', challenges: [`Bearer realm="${realm}", ${error}`] };
}

/** `sub` names the principal; all claims that are not structured are kept as texts. */
function principalOf(claims: Claims): Principal {
  const texts = Object.entries(claims)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([name, value]) => [name, String(value)] as const);
  const value = typeof claims.sub === 'string' && claims.sub !== '' ? claims.sub : undefined;
  return { value, claims: Object.fromEntries(texts) };
}
