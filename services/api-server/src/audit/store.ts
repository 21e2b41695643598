import type { OrganisationId, ProjectId } from '@factory/contracts';

/** A call that may have changed something. */
export interface AuditRecord {
  readonly atMs: number;
  readonly organisationId: OrganisationId;
  readonly projectId: ProjectId;
  /** The key or user that called. */
  readonly actor: string;
  readonly role: string;
  /** The `operationId` of the OpenAPI document. */
  readonly operation: string;
  /** The ids of the path, and as `made` of what was made. */
  readonly subjects: Readonly<Record<string, string>>;
  readonly status: number;
  /** Of the problem that was the answer. */
  readonly code: string | null;
  readonly requestId: string;
  /** Where the call came from. */
  readonly address: string;
}

export interface KeptAuditRecord extends AuditRecord {
  readonly id: number;
}

export interface AuditQuery {
  /** Absent: of all. */
  readonly organisationId?: OrganisationId;
  readonly actor?: string;
  readonly operation?: string;
  /** Only those before this one. */
  readonly before?: number;
  readonly limit: number;
}

/** The audit log: only added to. */
export interface AuditStore {
  /** Keeps all of them durably, or none. */
  append(records: readonly AuditRecord[]): Promise<void>;
  /** The newest first. */
  list(query: AuditQuery): Promise<readonly KeptAuditRecord[]>;
  /** Forgets the oldest; gives how many. */
  forget(beforeMs: number): Promise<number>;
}
