import type { ApiKeyId, ProjectId } from '@factory/contracts';

/** Who a key acts as; the first three may change things. */
export const ROLES = ['admin', 'operator', 'member', 'viewer', 'partner'] as const;
export type Role = (typeof ROLES)[number];

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

/** API keys. */
export interface KeyStore {
  find(id: string): Promise<ApiKeyRecord | undefined>;
}
