import { type KeyObject, sign, verify } from 'node:crypto';
import { canonicalRequest, type SignedParts } from './request-signing.ts';

/** Headers of a signed exchange on the cluster link, beside the timestamp's and the nonce's. */
export const LINK_CLUSTER_HEADER = 'x-factory-cluster';
export const LINK_SIGNATURE_HEADER = 'x-factory-signature';

/** Ed25519 signature of the canonical request, base64. */
export function signExchange(privateKey: KeyObject, parts: SignedParts): string {
  return sign(null, Buffer.from(canonicalRequest(parts)), privateKey).toString('base64');
}

/** Whether the cluster that owns `publicKey` signed this. Malformed signatures are just wrong. */
export function isExchangeSignatureValid(
  publicKey: KeyObject,
  parts: SignedParts,
  signature: string,
): boolean {
  const bytes = Buffer.from(signature, 'base64');
  return verify(null, Buffer.from(canonicalRequest(parts)), publicKey, bytes);
}
