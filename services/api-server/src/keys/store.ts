import type { ApiKeyId, OrganisationId, ProjectId, Role, Scope } from '@factory/contracts';

/** A key as it is kept: its secret only sealed (secret-box.ts). */
export interface ApiKeyRecord {
  readonly id: ApiKeyId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly role: Role;
  readonly scope: Scope;
  readonly sealedSecret: string;
  readonly allowsUcloud: boolean;
  readonly createdAtMs: number;
  /** The key or user that made it. */
  readonly createdBy: string | null;
  readonly expiresAtMs: number | null;
  readonly revoked: boolean;
  /** Null also for those that were revoked before this was noted. */
  readonly revokedAtMs: number | null;
  readonly lastUsedAtMs: number | null;
  /** The key that took over from it. */
  readonly successorId: ApiKeyId | null;
}

/** A key, and whose it is. */
export interface OwnedApiKey extends ApiKeyRecord {
  readonly organisationId: OrganisationId;
  /** Its organisation is the one that runs the factory. */
  readonly isPlatform: boolean;
  /** Nobody works in a closed project. */
  readonly isProjectClosed: boolean;
}

export type RotateKeyResult =
  | { readonly kind: 'rotated' }
  /** It has a successor, or was revoked, meanwhile. */
  | { readonly kind: 'over' };

/** API keys. Every method is one transaction. */
export interface KeyStore {
  find(id: string): Promise<OwnedApiKey | undefined>;
  /** Gives false when the project is closed or has as many that work as there may be. */
  create(key: ApiKeyRecord, nowMs: number): Promise<boolean>;
  /** In order of birth. */
  list(query: {
    readonly projectId: ProjectId;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly ApiKeyRecord[]>;
  /** Keeps a key in place of another, which goes on until `expiresAtMs` at the latest. */
  rotate(id: ApiKeyId, successor: ApiKeyRecord, expiresAtMs: number): Promise<RotateKeyResult>;
  /** The key does not work any more; again, it changes nothing. */
  revoke(id: ApiKeyId, nowMs: number): Promise<void>;
  /** Notes when keys were used, all at once; earlier times change nothing. */
  noteUse(uses: ReadonlyMap<string, number>): Promise<void>;
}
