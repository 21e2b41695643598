import { PROBLEMS } from '@factory/contracts';
import { type Logger, ProblemError } from '@factory/runtime';
import type { ClusterIdentity, ClusterStore } from '../store.ts';
import { type LinkClient, newClusterKey } from './link-client.ts';

/** What a cluster finds out with who it is. */
export interface IdentityParts {
  readonly store: ClusterStore;
  readonly linkClient: Pick<LinkClient, 'enrol'>;
  readonly enrolmentToken: string | undefined;
  readonly name: string;
  readonly logger: Logger;
  /** Gives a call of the store its deadline. */
  readonly inTime: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
}

/**
 * Who this cluster is to the api-server; enrols it if it is nobody yet. Its key is kept before the
 * token is spent on it, so that an answer that is lost, or a death before it is kept, costs nothing.
 * @throws ProblemError without a token; RemoteProblemError when the token is refused.
 */
export async function ownIdentity(parts: IdentityParts): Promise<ClusterIdentity> {
  const { store, linkClient, enrolmentToken, name, logger, inTime, signal } = parts;
  const known = await inTime('loading the identity', () => store.loadIdentity());
  if (known !== undefined) return known;
  if (enrolmentToken === undefined) {
    const detail = 'This cluster has not enrolled yet: set FACTORY_ENROLMENT_TOKEN to its token.';
    throw new ProblemError(PROBLEMS.notReady, detail);
  }
  const kept = await inTime('loading the key', () => store.loadPrivateKey());
  const privateKey = kept ?? newClusterKey();
  if (kept === undefined) await inTime('saving the key', () => store.savePrivateKey(privateKey));
  const identity = await linkClient.enrol(enrolmentToken, { name, privateKey }, signal);
  await inTime('saving the identity', () => store.saveIdentity(identity));
  logger.info({ clusterId: identity.clusterId }, 'enrolled');
  return identity;
}
