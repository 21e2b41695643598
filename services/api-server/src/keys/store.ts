import type { ApiKeyId, OrganisationId, ProjectId, Role } from '@factory/contracts';

/** A key as it is kept: its secret only sealed (secret-box.ts). */
export interface ApiKeyRecord {
  readonly id: ApiKeyId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly role: Role;
  readonly sealedSecret: string;
  readonly revoked: boolean;
  readonly createdAtMs: number;
}

/** A key, and whose it is. */
export interface OwnedApiKey extends ApiKeyRecord {
  readonly organisationId: OrganisationId;
  /** Its organisation is the one that runs the factory. */
  readonly isPlatform: boolean;
}

/** API keys. */
export interface KeyStore {
  find(id: string): Promise<OwnedApiKey | undefined>;
}
