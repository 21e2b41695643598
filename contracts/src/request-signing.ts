import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/**
 * Request signatures of the REST API: HMAC-SHA256 over method, path, sorted query, body hash,
 * timestamp and nonce. The same scheme, with Ed25519 in place of HMAC, signs the cluster link.
 */
export interface SignedParts {
  readonly method: string;
  /** Path and query as sent: `/v1/vms?limit=5`. */
  readonly pathWithQuery: string;
  readonly body: string | Uint8Array;
  /** Seconds since the epoch, as sent in the timestamp header. */
  readonly timestamp: string;
  readonly nonce: string;
}

export const SIGNATURE_SCHEME = 'FACTORY-HMAC-SHA256';
export const TIMESTAMP_HEADER = 'x-factory-timestamp';
export const NONCE_HEADER = 'x-factory-nonce';
/** How far a request's clock may be off, in either direction. */
export const TIMESTAMP_TOLERANCE_SECONDS = 300;

/** What is signed: one line a part; the query's pairs sorted, so that proxies may reorder them. */
export function canonicalRequest(parts: SignedParts): string {
  const [path = '', query = ''] = parts.pathWithQuery.split(/\?(.*)/s, 2);
  const sortedQuery = query.split('&').filter(Boolean).sort().join('&');
  const bodyHash = hash('sha256', parts.body, 'hex');
  const lines = [parts.method.toUpperCase(), path, sortedQuery, bodyHash];
  return [...lines, parts.timestamp, parts.nonce].join('\n');
}

/** The signature in lower-case hex. */
export function signRequest(secret: string, parts: SignedParts): string {
  return createHmac('sha256', secret).update(canonicalRequest(parts)).digest('hex');
}

/** Whether the signature is right; takes the same time wherever it differs. */
export function isSignatureValid(secret: string, parts: SignedParts, signature: string): boolean {
  const expected = Buffer.from(signRequest(secret, parts));
  const given = Buffer.from(signature);
  // How long it is, is no secret.
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** The value of the Authorization header. */
export function authorizationHeader(keyId: string, signature: string): string {
  return `${SIGNATURE_SCHEME} keyId=${keyId}, signature=${signature}`;
}

/** The parts of an Authorization header, or `undefined` when it is not of this scheme. */
export function parseAuthorizationHeader(
  header: string,
): { readonly keyId: string; readonly signature: string } | undefined {
  const match = /^FACTORY-HMAC-SHA256 keyId=([\w-]{1,64}), signature=([0-9a-f]{64})$/.exec(header);
  const [, keyId, signature] = match ?? [];
  return keyId === undefined || signature === undefined ? undefined : { keyId, signature };
}
