import type { EnrolmentToken, EnrolmentTokenId } from '@factory/contracts';
import type { TokenGrant, TokenRecord } from './fleet-store.ts';

/** What the clusters get that the factory begins with. */
export const OWN_CLUSTER: TokenGrant = {
  ownerOrganisationId: null,
  region: '',
  attributes: {},
  caps: {},
  isTrusted: true,
};

/** A token as the API shows it. */
export function showToken(token: TokenRecord, nowMs: number): EnrolmentToken {
  const { clusterName, ownerOrganisationId, region, attributes, caps } = token;
  return {
    id: token.id as EnrolmentTokenId,
    ...{ clusterName, ownerOrganisationId, region, attributes, caps },
    state: stateOf(token, nowMs),
    createdAt: new Date(token.createdAtMs).toISOString(),
    expiresAt: new Date(token.expiresAtMs).toISOString(),
  };
}

function stateOf(token: TokenRecord, nowMs: number): EnrolmentToken['state'] {
  if (token.isSpent) return 'used';
  if (token.revokedAtMs !== null) return 'revoked';
  return token.expiresAtMs < nowMs ? 'expired' : 'open';
}
