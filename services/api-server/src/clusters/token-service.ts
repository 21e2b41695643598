import {
  type EnrolmentToken,
  type EnrolmentTokenRequest,
  ID_PREFIXES,
  type NewEnrolmentToken,
  PROBLEMS,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError, type Random } from '@factory/runtime';
import { hashToken } from '../bootstrap/service.ts';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { Owner } from './fleet-store.ts';
import { showToken } from './tokens.ts';

const DEFAULT_VALID_SECONDS = 24 * 3600;
const SECRET_BYTES = 32;

/** Enrolment tokens: operators make them for anybody, admins of a partner for its own clusters. */
export class TokenService {
  readonly #parts: {
    readonly store: Pick<ApiStore, 'fleet'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly newId: IdGenerator;
  };

  constructor(parts: {
    readonly store: Pick<ApiStore, 'fleet'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly newId: IdGenerator;
  }) {
    this.#parts = parts;
  }

  /**
   * Makes a one-time token; its secret is in this answer only.
   * @throws ProblemError 403 when the principal may not bring clusters for that organisation, or
   * set what only operators do; 409 when the name is another's; 422 without such an organisation.
   */
  async create(principal: Principal, request: EnrolmentTokenRequest): Promise<NewEnrolmentToken> {
    const { store, clock, random, newId } = this.#parts;
    const ownerOrganisationId = await this.#ownerOf(principal, request);
    const nowMs = clock.nowMs();
    const { clusterName, region = '', attributes = {}, caps = {} } = request;
    const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
    const validSeconds = request.expiresInSeconds ?? DEFAULT_VALID_SECONDS;
    const token = {
      id: newId(ID_PREFIXES.enrolmentToken),
      ...{ clusterName, ownerOrganisationId, region, attributes, caps },
      // Partners' clusters show first that they work.
      isTrusted: ownerOrganisationId === null,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + validSeconds * 1000,
      ...{ revokedAtMs: null, isSpent: false },
    };
    const result = await store.fleet.createToken({ ...token, tokenHash: hashToken(secret) });
    if (result === 'nameTaken') {
      const detail = `The name ${clusterName} is that of a cluster of somebody else.`;
      throw new ProblemError(PROBLEMS.nameTaken, detail, { field: 'clusterName' });
    }
    if (result === 'noSuchOrganisation') {
      const detail = `There is no organisation ${ownerOrganisationId}.`;
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'ownerOrganisationId' });
    }
    return { ...showToken(token, nowMs), token: secret };
  }

  /** The newest first. */
  async list(principal: Principal): Promise<readonly EnrolmentToken[]> {
    const nowMs = this.#parts.clock.nowMs();
    const tokens = await this.#parts.store.fleet.listTokens(visibleTo(principal));
    return tokens.map((token) => showToken(token, nowMs));
  }

  /** The token can't be used any more; a cluster that has used it stays. @throws ProblemError 404. */
  async revoke(principal: Principal, id: string): Promise<void> {
    const { store, clock } = this.#parts;
    const owner = visibleTo(principal);
    if (await store.fleet.revokeToken(id, owner, clock.nowMs())) return;
    throw new ProblemError(PROBLEMS.notFound, `There is no enrolment token ${id}.`);
  }

  async #ownerOf(principal: Principal, request: EnrolmentTokenRequest) {
    if (principal.isPlatform) return request.ownerOrganisationId ?? null;
    const { organisationId } = principal;
    const forbid = (detail: string, field: string): never => {
      throw new ProblemError(PROBLEMS.forbidden, detail, { field });
    };
    if ((request.ownerOrganisationId ?? organisationId) !== organisationId) {
      forbid('Only clusters of your own organisation can be enrolled.', 'ownerOrganisationId');
    }
    if (request.caps !== undefined) forbid('Caps are set by operators of the factory.', 'caps');
    if (!(await this.#parts.store.fleet.isPartner(organisationId))) {
      const detail =
        'Your organisation is no partner: operators of the factory enrol the first cluster.';
      forbid(detail, 'clusterName');
    }
    return organisationId;
  }
}

function visibleTo({ isPlatform, organisationId }: Principal): Owner {
  return isPlatform ? 'anybody' : organisationId;
}
