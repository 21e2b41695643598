import {
  ID_PREFIXES,
  type Membership,
  type MembershipRequest,
  type NewUser,
  type OrganisationId,
  PROBLEMS,
  type User,
  type UserChange,
  type UserId,
  type UserRequest,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError, type Random } from '@factory/runtime';
import type { Principal } from '../http/principal.ts';
import type { Passwords } from '../sessions/passwords.ts';
import type { ApiStore } from '../store/api-store.ts';
import { reaches } from '../tenancy/reach.ts';
import type { TenancyService } from '../tenancy/service.ts';
import { showUser } from './show.ts';
import type { UserRecord } from './store.ts';

const PASSWORD_BYTES = 15;

/** The users of organisations, as far as the admin who asks reaches. */
export class UserService {
  readonly #store: ApiStore['users'];
  readonly #tenancy: Pick<TenancyService, 'find' | 'getOrganisation'>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #newId: IdGenerator;
  readonly #passwords: Passwords;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'users'>;
    readonly tenancy: Pick<TenancyService, 'find' | 'getOrganisation'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly newId: IdGenerator;
    readonly passwords: Passwords;
  }) {
    this.#store = parts.store.users;
    this.#tenancy = parts.tenancy;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#newId = parts.newId;
    this.#passwords = parts.passwords;
  }

  /** @throws ProblemError 404 for what is out of reach, 409 when the email is known. */
  async create(principal: Principal, request: UserRequest): Promise<NewUser> {
    const { organisationId = principal.organisationId, name } = request;
    const memberships = await this.#ruled(principal, organisationId, request.memberships);
    const password = request.password ?? this.#newPassword();
    const user: UserRecord = {
      id: this.#newId(ID_PREFIXES.user) as UserId,
      ...{ organisationId, name, memberships },
      email: request.email.toLowerCase(),
      disabled: false,
      passwordHash: await this.#passwords.hash(password),
      oidcSubject: null,
      createdAtMs: this.#clock.nowMs(),
    };
    if (await this.#store.create(user)) {
      return { ...showUser(user), password: request.password === undefined ? password : null };
    }
    const detail = `The organisation has a user ${user.email}.`;
    throw new ProblemError(PROBLEMS.nameTaken, detail, { field: 'email' });
  }

  /** Nobody of an organisation out of reach. */
  async list(
    principal: Principal,
    query: {
      readonly organisationId?: OrganisationId;
      readonly email?: string;
      readonly after?: string;
      readonly limit: number;
    },
  ): Promise<readonly UserRecord[]> {
    const { organisationId = principal.organisationId } = query;
    if (!reaches(principal, { organisationId })) return [];
    return this.#store.list({ ...query, organisationId });
  }

  /** @throws ProblemError 404. */
  async get(principal: Principal, id: UserId): Promise<User> {
    return showUser(await this.#find(principal, id));
  }

  /** Whoever is disabled is signed out. @throws ProblemError 404. */
  async change(principal: Principal, id: UserId, change: UserChange): Promise<User> {
    const user = await this.#find(principal, id);
    const { name = user.name } = change;
    const disabled = change.state === undefined ? user.disabled : change.state === 'disabled';
    const memberships =
      change.memberships === undefined
        ? user.memberships
        : await this.#ruled(principal, user.organisationId, change.memberships);
    const patch = { name, disabled, memberships };
    await this.#store.change(id, patch, disabled);
    return showUser({ ...user, ...patch });
  }

  /** A new password, shown once; the user is signed out everywhere. @throws ProblemError 404. */
  async resetPassword(principal: Principal, id: UserId): Promise<NewUser> {
    const user = await this.#find(principal, id);
    const password = this.#newPassword();
    const passwordHash = await this.#passwords.hash(password);
    await this.#store.change(id, { passwordHash }, true);
    return { ...showUser(user), password };
  }

  /** @throws ProblemError 404. */
  async delete(principal: Principal, id: UserId): Promise<void> {
    await this.#find(principal, id);
    await this.#store.delete(id);
  }

  async #find(principal: Principal, id: UserId): Promise<UserRecord> {
    const user = await this.#store.find(id);
    if (user !== undefined && reaches(principal, user)) return user;
    throw new ProblemError(PROBLEMS.notFound, `There is no user ${id}.`);
  }

  /**
   * Memberships are of what the admin reaches, and in the user's own organisation, whose admins can set
   * the password: only the people of who runs the factory may be somebody elsewhere.
   */
  async #ruled(
    principal: Principal,
    home: OrganisationId,
    requests: readonly MembershipRequest[],
  ): Promise<readonly Membership[]> {
    const memberships: Membership[] = [];
    const { isPlatform } = await this.#tenancy.getOrganisation(principal, home);
    for (const [index, { organisationId = home, projectId = null, role }] of requests.entries()) {
      const field = `memberships[${index}].projectId`;
      if (organisationId !== home && !isPlatform) {
        const detail = "Users work in their own organisation; give others' people users there.";
        throw new ProblemError(PROBLEMS.invalidRequest, detail, { field });
      }
      if (projectId === null) await this.#tenancy.getOrganisation(principal, organisationId);
      else {
        const project = await this.#tenancy.find(principal, projectId, field);
        if (project.organisationId !== organisationId || role === 'partner') {
          const detail = 'The project is of another organisation, or the role is not for projects.';
          throw new ProblemError(PROBLEMS.invalidRequest, detail, { field });
        }
      }
      memberships.push({ organisationId, projectId, role });
    }
    return memberships;
  }

  #newPassword(): string {
    return Buffer.from(this.#random.bytes(PASSWORD_BYTES)).toString('base64url');
  }
}
