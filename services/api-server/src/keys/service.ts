import {
  API_KEY_LIMITS,
  type ApiKeyId,
  type ApiKeyRequest,
  type ApiKeyView,
  ID_PREFIXES,
  type NewApiKey,
  PROBLEMS,
  type ProjectId,
} from '@factory/contracts';
import {
  type Clock,
  type IdGenerator,
  ProblemError,
  type Random,
  type SecretBox,
} from '@factory/runtime';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import { mayGive, reaches } from '../tenancy/reach.ts';
import type { TenancyService } from '../tenancy/service.ts';
import { keyState, showKey } from './key-state.ts';
import type { ApiKeyRecord } from './store.ts';

const SECRET_BYTES = 32;

/** The keys of projects, as far as the admin who asks reaches. */
export class KeyService {
  readonly #store: ApiStore['keys'];
  readonly #tenancy: Pick<TenancyService, 'find'>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #newId: IdGenerator;
  readonly #secrets: SecretBox;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'keys'>;
    readonly tenancy: Pick<TenancyService, 'find'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly newId: IdGenerator;
    readonly secrets: SecretBox;
  }) {
    this.#store = parts.store.keys;
    this.#tenancy = parts.tenancy;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#newId = parts.newId;
    this.#secrets = parts.secrets;
  }

  /** A key with its secret. @throws ProblemError naming the field at fault; 404, 403, 409. */
  async create(principal: Principal, request: ApiKeyRequest): Promise<NewApiKey> {
    const { name, role, scope = 'project', allowsUcloud = false } = request;
    const projectId = await this.#projectFor(principal, request.projectId);
    refuseMore(principal, { role, scope });
    if (role === 'partner' && scope === 'project') {
      const detail = 'Clusters belong to organisations: a partner needs the scope organisation.';
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'scope' });
    }
    const facts = { projectId, name, role, scope, allowsUcloud };
    const expiresAtMs = this.#future(request.expiresAt);
    const { key, secret } = this.#newKey(principal, { ...facts, expiresAtMs });
    const nowMs = this.#clock.nowMs();
    if (await this.#store.create(key, nowMs)) return { ...showKey(key, nowMs), secret };
    const detail = `The project is closed, or has ${API_KEY_LIMITS.keysMax} keys, which is the most.`;
    throw new ProblemError(PROBLEMS.limitReached, detail);
  }

  /** @throws ProblemError 404 for a project out of reach. */
  async list(
    principal: Principal,
    query: { readonly projectId?: ProjectId; readonly after?: string; readonly limit: number },
  ): Promise<readonly ApiKeyRecord[]> {
    const projectId = await this.#projectFor(principal, query.projectId);
    return this.#store.list({ ...query, projectId });
  }

  /** @throws ProblemError 404. */
  async get(principal: Principal, id: ApiKeyId): Promise<ApiKeyView> {
    return showKey(await this.#find(principal, id), this.#clock.nowMs());
  }

  /**
   * A new key in place of this one, which goes on working for the grace time.
   * @throws ProblemError 404, 403, or 409 when it doesn't work any more or has a successor.
   */
  async rotate(
    principal: Principal,
    id: ApiKeyId,
    { graceSeconds = API_KEY_LIMITS.graceSecondsDefault }: { readonly graceSeconds?: number },
  ): Promise<NewApiKey> {
    const old = await this.#find(principal, id);
    refuseMore(principal, old);
    const nowMs = this.#clock.nowMs();
    const { projectId, name, role, scope, allowsUcloud, expiresAtMs } = old;
    const facts = { projectId, name, role, scope, allowsUcloud, expiresAtMs };
    const { key, secret } = this.#newKey(principal, facts);
    const isActive = keyState(old, nowMs) === 'active';
    const endMs = nowMs + graceSeconds * 1000;
    const result = isActive ? await this.#store.rotate(id, key, endMs) : { kind: 'over' };
    if (result.kind === 'rotated') return { ...showKey(key, nowMs), secret };
    const detail = 'The key is revoked, expired, or rotated already.';
    throw new ProblemError(PROBLEMS.wrongState, detail);
  }

  /** The key stops working within seconds; again, nothing changes. @throws ProblemError 404, 403. */
  async revoke(principal: Principal, id: ApiKeyId): Promise<void> {
    const key = await this.#find(principal, id);
    refuseMore(principal, key);
    await this.#store.revoke(id, this.#clock.nowMs());
  }

  async #projectFor(principal: Principal, id = principal.projectId): Promise<ProjectId> {
    if (id === principal.projectId) return id;
    return (await this.#tenancy.find(principal, id, 'projectId')).id;
  }

  async #find(principal: Principal, id: ApiKeyId): Promise<ApiKeyRecord> {
    const key = await this.#store.find(id);
    if (key !== undefined && reaches(principal, key)) return key;
    throw new ProblemError(PROBLEMS.notFound, `There is no API key ${id}.`);
  }

  #future(instant: string | undefined): number | null {
    if (instant === undefined) return null;
    const atMs = Date.parse(instant);
    if (atMs > this.#clock.nowMs()) return atMs;
    const detail = 'expiresAt must be in the future';
    throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'expiresAt' });
  }

  #newKey(
    principal: Principal,
    facts: Pick<
      ApiKeyRecord,
      'projectId' | 'name' | 'role' | 'scope' | 'allowsUcloud' | 'expiresAtMs'
    >,
  ): { readonly key: ApiKeyRecord; readonly secret: string } {
    const id = this.#newId(ID_PREFIXES.apiKey) as ApiKeyId;
    const secret = Buffer.from(this.#random.bytes(SECRET_BYTES)).toString('base64url');
    const sealedSecret = this.#secrets.seal(secret, id);
    const times = { createdAtMs: this.#clock.nowMs(), revokedAtMs: null, lastUsedAtMs: null };
    const isNew = { revoked: false, successorId: null, createdBy: principal.actor };
    return { key: { ...facts, id, sealedSecret, ...times, ...isNew }, secret };
  }
}

function refuseMore(principal: Principal, gift: Pick<ApiKeyRecord, 'role' | 'scope'>): void {
  if (mayGive(principal, gift)) return;
  const detail = 'The key is for the whole organisation; only its admins may give or take that.';
  throw new ProblemError(PROBLEMS.forbidden, detail, { field: 'scope' });
}
