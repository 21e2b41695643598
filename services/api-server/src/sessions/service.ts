import { createHash } from 'node:crypto';
import {
  ID_PREFIXES,
  type Me,
  PROBLEMS,
  type ProjectId,
  SESSION_TOKEN_PREFIX,
  type SessionId,
  type SignIn,
  type UserId,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError, type Random } from '@factory/runtime';
import type { Principal } from '../http/principal.ts';
import type { Duty } from '../jobs/work.ts';
import type { UseLog } from '../keys/use-log.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { ProjectRecord } from '../tenancy/store.ts';
import { showUser } from '../users/show.ts';
import type { UserRecord } from '../users/store.ts';
import {
  ACCOUNT_LIMIT,
  ADDRESS_LIMIT,
  ATTEMPTS_KEPT_MS,
  attemptWaitMs,
  NO_ATTEMPTS,
  withAttempt,
} from './attempts.ts';
import type { Passwords } from './passwords.ts';
import { standingIn } from './standing.ts';

const TOKEN_BYTES = 32;
const PROJECTS_MAX = 1_000;

/** How long a session lasts. */
export interface SessionLimits {
  /** Without being used. */
  readonly idleMs: number;
  /** In all. */
  readonly totalMs: number;
}

/** A session that was begun just now. */
export interface NewSession {
  readonly userId: UserId;
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Signing in and out, and who a session stands for. */
export class SessionService implements Duty {
  readonly name = 'forgetting sessions';
  readonly #store: Pick<ApiStore, 'users' | 'sessions' | 'tenancy'>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #newId: IdGenerator;
  readonly #passwords: Passwords;
  readonly #limits: SessionLimits;
  readonly #uses: UseLog;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'users' | 'sessions' | 'tenancy'>;
    readonly clock: Clock;
    readonly random: Random;
    readonly newId: IdGenerator;
    readonly passwords: Passwords;
    readonly limits: SessionLimits;
    readonly uses: UseLog;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#newId = parts.newId;
    this.#passwords = parts.passwords;
    this.#limits = parts.limits;
    this.#uses = parts.uses;
  }

  /**
   * Begins a session. The answer is the same whatever of the three is wrong.
   * @throws ProblemError badLogin, or rateLimited after too many attempts for a name or an address.
   */
  async signIn(request: SignIn, address: string): Promise<NewSession> {
    const email = request.email.toLowerCase();
    // What was typed as an email may be a password: it is not kept in the clear.
    const account = `account ${digest(`${request.organisation}/${email}`)}`;
    await this.#countAttempt(account, `address ${address}`);
    const user = await this.#store.users.findByEmail(request.organisation, email);
    const isRight = await this.#passwords.verify(request.password, user?.passwordHash ?? null);
    if (user === undefined || !isRight || user.disabled) {
      const detail = 'No user of this organisation has this email and password.';
      throw new ProblemError(PROBLEMS.badLogin, detail);
    }
    const cleared = { attempts: [NO_ATTEMPTS], result: undefined };
    await this.#store.sessions.changeAttempts([account], () => cleared);
    return this.begin(user);
  }

  /** Begins a session of somebody who has shown who they are. */
  async begin(user: UserRecord): Promise<NewSession> {
    const secret = Buffer.from(this.#random.bytes(TOKEN_BYTES)).toString('base64url');
    const token = SESSION_TOKEN_PREFIX + secret;
    const nowMs = this.#clock.nowMs();
    const expiresAtMs = nowMs + this.#limits.totalMs;
    await this.#store.sessions.create({
      id: this.#newId(ID_PREFIXES.session) as SessionId,
      tokenHash: digest(token),
      userId: user.id,
      createdAtMs: nowMs,
      lastUsedAtMs: nowMs,
      expiresAtMs,
    });
    return { userId: user.id, token, expiresAtMs };
  }

  /** Over at once here, within seconds at gateways. */
  async signOut({ sessionId }: Principal): Promise<void> {
    if (sessionId !== undefined) await this.#store.sessions.end(sessionId);
  }

  /**
   * Who the session stands for in the project, or in the first of the user's; `undefined` when it is
   * over, null when the user may not work there.
   */
  async principal(tokenHash: string, projectId?: ProjectId): Promise<Principal | null | undefined> {
    const found = await this.#store.sessions.find(tokenHash);
    const nowMs = this.#clock.nowMs();
    if (found === undefined || found.user.disabled) return undefined;
    const { session, user } = found;
    const isIdle = nowMs - session.lastUsedAtMs >= this.#limits.idleMs;
    if (isIdle || nowMs >= session.expiresAtMs) return undefined;
    this.#uses.note(session.id);
    const [project] =
      projectId === undefined
        ? await this.#projectsOf(user)
        : await this.#store.tenancy.listProjects({ id: projectId, limit: 1 });
    if (project === undefined || project.closedAtMs !== null) return null;
    const standing = standingIn(user.memberships, project);
    if (standing === undefined) return null;
    const { organisationId } = project;
    const [owner] = await this.#store.tenancy.listOrganisations({ id: organisationId, limit: 1 });
    return {
      ...standing,
      actor: user.id,
      organisationId,
      projectId: project.id,
      isPlatform: owner?.isPlatform === true,
      sessionId: session.id,
    };
  }

  /** Who asks, and what for. */
  async me(principal: Principal): Promise<Me> {
    const { actor, organisationId, projectId, role, scope, isPlatform } = principal;
    const user =
      principal.sessionId === undefined ? undefined : await this.#store.users.find(actor as UserId);
    const projects = user === undefined ? null : await this.#projectsOf(user);
    return {
      ...{ actor, organisationId, projectId, role, scope, isPlatform },
      user: user === undefined ? null : showUser(user),
      projects: projects?.map(({ id, name }) => ({ id, name })) ?? null,
    };
  }

  /** @throws ProblemError when it is not a user that asks, or the password is wrong. */
  async changePassword(principal: Principal, from: string, to: string): Promise<void> {
    const user =
      principal.sessionId === undefined
        ? undefined
        : await this.#store.users.find(principal.actor as UserId);
    if (user === undefined) {
      throw new ProblemError(PROBLEMS.forbidden, 'Only signed-in users have passwords.');
    }
    await this.#countAttempt(`user ${user.id}`);
    if (!(await this.#passwords.verify(from, user.passwordHash))) {
      const extra = { field: 'password' };
      throw new ProblemError(PROBLEMS.badLogin, 'It is not the password until now.', extra);
    }
    const passwordHash = await this.#passwords.hash(to);
    await this.#store.users.change(user.id, { passwordHash }, true);
  }

  async sweep(nowMs: number): Promise<void> {
    const usedBeforeMs = nowMs - this.#limits.idleMs;
    const attemptsBeforeMs = nowMs - ATTEMPTS_KEPT_MS;
    await this.#store.sessions.forget({ nowMs, usedBeforeMs, attemptsBeforeMs });
  }

  /** Counted before the password is looked at, so that many at once don't get more attempts. */
  async #countAttempt(account: string, address?: string): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const subjects = address === undefined ? [account] : [account, address];
    const limits = [ACCOUNT_LIMIT, ADDRESS_LIMIT];
    const waitMs = await this.#store.sessions.changeAttempts(subjects, (known) => {
      const waits = known.map((each, index) =>
        attemptWaitMs(each, limits[index] ?? ACCOUNT_LIMIT, nowMs),
      );
      const result = Math.max(...waits);
      const counted = known.map((each) => withAttempt(each, nowMs));
      return { result, attempts: result > 0 ? undefined : counted };
    });
    if (waitMs === 0) return;
    const retryAfterSeconds = Math.ceil(waitMs / 1000);
    const detail = `There were too many attempts; go on in ${retryAfterSeconds} s.`;
    throw new ProblemError(PROBLEMS.rateLimited, detail, { extra: { retryAfterSeconds } });
  }

  /** The open projects in which the user is somebody, oldest first. */
  async #projectsOf({ memberships }: UserRecord): Promise<readonly ProjectRecord[]> {
    const organisations = new Set(memberships.map(({ organisationId }) => organisationId));
    const projects = await Promise.all(
      [...organisations].map((organisationId) =>
        this.#store.tenancy.listProjects({ organisationId, limit: PROJECTS_MAX }),
      ),
    );
    return projects
      .flat()
      .filter((each) => each.closedAtMs === null && standingIn(memberships, each) !== undefined);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
