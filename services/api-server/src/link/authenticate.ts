import { createPublicKey, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import {
  isExchangeSignatureValid,
  LINK_CLUSTER_HEADER,
  LINK_SIGNATURE_HEADER,
  NONCE_HEADER,
  PROBLEMS,
  TIMESTAMP_HEADER,
  TIMESTAMP_TOLERANCE_SECONDS,
} from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { LinkPeer } from '../clusters/store.ts';

/** What a signed request claims; true when its signature is right. */
export interface LinkClaim {
  readonly clusterId: string;
  readonly signature: string;
  readonly timestamp: string;
  readonly nonce: string;
}

/** A request, whether fastify has taken it or not. */
interface HasHeaders {
  readonly headers: IncomingHttpHeaders;
}

const NONCE = /^[\w-]{16,64}$/;

/**
 * Reads the headers of a signed request.
 * @throws ProblemError when some are missing, or the clocks disagree.
 */
export function readLinkClaim(request: HasHeaders, clock: Clock): LinkClaim {
  const clusterId = header(request, LINK_CLUSTER_HEADER);
  const signature = header(request, LINK_SIGNATURE_HEADER);
  const timestamp = header(request, TIMESTAMP_HEADER);
  const nonce = header(request, NONCE_HEADER);
  if (!NONCE.test(nonce)) {
    const detail = 'The nonce must have 16 to 64 letters, digits, dashes or underscores.';
    throw new ProblemError(PROBLEMS.unsigned, detail, { field: NONCE_HEADER });
  }
  const skewSeconds = Math.abs(clock.nowMs() / 1000 - Number(timestamp));
  // Also when it is no number.
  if (!(skewSeconds <= TIMESTAMP_TOLERANCE_SECONDS)) {
    const detail = `The clocks differ by more than ${TIMESTAMP_TOLERANCE_SECONDS} s; use NTP.`;
    throw new ProblemError(PROBLEMS.clockSkew, detail, { field: TIMESTAMP_HEADER });
  }
  return { clusterId, signature, timestamp, nonce };
}

function header(request: HasHeaders, name: string): string {
  const value = request.headers[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new ProblemError(PROBLEMS.unsigned, `The header ${name} is missing.`, { field: name });
}

/** By whom a request was signed, and whether with the key that is to follow the present one. */
export interface LinkSigner {
  readonly peer: LinkPeer;
  readonly isNext: boolean;
}

/**
 * Checks the signature over the request as it came.
 * @throws ProblemError when the peer is unknown, did not sign this, or was revoked.
 */
export function requireLinkSignature(
  peer: LinkPeer | undefined,
  claim: LinkClaim,
  request: { readonly method: string; readonly url: string; readonly body: Uint8Array },
): LinkSigner {
  if (peer === undefined) {
    const detail = 'This cluster is not enrolled here; enrol it with a new token.';
    throw new ProblemError(PROBLEMS.badSignature, detail, { field: LINK_CLUSTER_HEADER });
  }
  const parts = {
    method: request.method,
    pathWithQuery: request.url,
    body: request.body,
    timestamp: claim.timestamp,
    nonce: claim.nonce,
  };
  const isBy = (publicKey: string): boolean =>
    isExchangeSignatureValid(createPublicKey(publicKey), parts, claim.signature);
  const isCurrent = isBy(peer.publicKey);
  const isNext = !isCurrent && peer.nextPublicKey !== null && isBy(peer.nextPublicKey);
  if (!isCurrent && !isNext) {
    const detail = 'The signature was not made with the key that the cluster enrolled with.';
    throw new ProblemError(PROBLEMS.badSignature, detail, { field: LINK_SIGNATURE_HEADER });
  }
  if (peer.state === 'revoked') {
    const detail = `The operators of the factory have revoked ${peer.name}; ask them for a new token.`;
    throw new ProblemError(PROBLEMS.clusterRevoked, detail, { field: LINK_CLUSTER_HEADER });
  }
  return { peer, isNext };
}

/** Whether the text is an Ed25519 public key in PEM. */
export function isEd25519PublicKey(pem: string): boolean {
  const key = parseKey(pem);
  return key?.asymmetricKeyType === 'ed25519';
}

function parseKey(pem: string): KeyObject | undefined {
  // A private key would be accepted too, and we do not want to hold any.
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) return undefined;
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}
