import type { Membership, OrganisationId, UserId } from '@factory/contracts';

/** A user as it is kept. */
export interface UserRecord {
  readonly id: UserId;
  readonly organisationId: OrganisationId;
  /** In lower case. */
  readonly email: string;
  readonly name: string;
  readonly disabled: boolean;
  /** See sessions/passwords.ts; null for who signs in elsewhere. */
  readonly passwordHash: string | null;
  readonly memberships: readonly Membership[];
  /** Issuer and subject of an OIDC login, once it was used. */
  readonly oidcSubject: string | null;
  readonly createdAtMs: number;
}

/** What may be changed of a user. */
export type UserPatch = Partial<
  Pick<UserRecord, 'name' | 'disabled' | 'passwordHash' | 'memberships' | 'oidcSubject'>
>;

/** Users. Every method is one transaction. */
export interface UserStore {
  /** False when the organisation has one with this email. */
  create(user: UserRecord): Promise<boolean>;
  find(id: UserId): Promise<UserRecord | undefined>;
  /** The organisation by its name. */
  findByEmail(organisation: string, email: string): Promise<UserRecord | undefined>;
  findByOidc(subject: string): Promise<UserRecord | undefined>;
  /** In order of birth. */
  list(query: {
    readonly organisationId: OrganisationId;
    readonly email?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly UserRecord[]>;
  /** Ends the user's sessions too, where it says so. */
  change(id: UserId, patch: UserPatch, endsSessions: boolean): Promise<void>;
  /** With all sessions. */
  delete(id: UserId): Promise<void>;
}
