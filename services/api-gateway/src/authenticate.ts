import {
  isSignatureValid,
  NONCE_HEADER,
  PROBLEMS,
  parseAuthorizationHeader,
  TIMESTAMP_HEADER,
  TIMESTAMP_TOLERANCE_SECONDS,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';

/** What a signed request claims, before anything is known to be true. */
export interface SignedClaim {
  readonly keyId: string;
  readonly signature: string;
  readonly timestamp: string;
  readonly nonce: string;
}

const NONCE_PATTERN = /^[A-Za-z0-9_-]{16,128}$/;
const HOW_TO_SIGN = 'See docs/api.md, "Signing requests", or use ./factory.';

/**
 * Reads the claim from the headers and checks its clock. Done before the body is read, so that
 * nobody without a key makes the gateway hold bodies. Pure.
 * @throws ProblemError unsigned, clockSkew.
 */
export function readClaim(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): SignedClaim {
  const authorization = single(headers.authorization);
  const parsed = authorization === undefined ? undefined : parseAuthorizationHeader(authorization);
  const timestamp = single(headers[TIMESTAMP_HEADER]);
  const nonce = single(headers[NONCE_HEADER]);
  if (parsed === undefined)
    throw unsigned('authorization', 'FACTORY-HMAC-SHA256 keyId=…, signature=…');
  if (timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) {
    throw unsigned(TIMESTAMP_HEADER, 'seconds since 1970-01-01');
  }
  if (nonce === undefined || !NONCE_PATTERN.test(nonce)) {
    throw unsigned(NONCE_HEADER, '16 to 128 letters, digits, - or _, never used before');
  }
  checkClock(Number(timestamp), nowMs);
  return { ...parsed, timestamp, nonce };
}

/**
 * Checks the signature.
 * @throws ProblemError badSignature; the same words for an unknown key, so that keys can't be guessed.
 */
export function checkSignature(
  claim: SignedClaim,
  secret: string | undefined,
  request: { readonly method: string; readonly url: string; readonly body: Uint8Array },
): void {
  const parts = {
    method: request.method,
    pathWithQuery: request.url,
    body: request.body,
    timestamp: claim.timestamp,
    nonce: claim.nonce,
  };
  const isValid = isSignatureValid(secret ?? 'no such key', parts, claim.signature);
  if (secret !== undefined && isValid) return;
  const detail = `No key with this id signed exactly this method, path, query and body. ${HOW_TO_SIGN}`;
  throw new ProblemError(PROBLEMS.badSignature, detail, { field: 'authorization' });
}

function checkClock(timestampSeconds: number, nowMs: number): void {
  const offSeconds = Math.round(timestampSeconds - nowMs / 1000);
  if (Math.abs(offSeconds) > TIMESTAMP_TOLERANCE_SECONDS) {
    const detail = `The request's clock is off by ${offSeconds} s; at most ${TIMESTAMP_TOLERANCE_SECONDS} s are allowed. Set the clock (NTP) and sign again.`;
    throw new ProblemError(PROBLEMS.clockSkew, detail, { field: TIMESTAMP_HEADER });
  }
}

function unsigned(field: string, expected: string): ProblemError {
  const detail = `The header ${field} is missing or malformed; it should be: ${expected}. ${HOW_TO_SIGN}`;
  return new ProblemError(PROBLEMS.unsigned, detail, { field });
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
