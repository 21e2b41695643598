import type { OrganisationId, ProjectId } from '@factory/contracts';
import type { NewSubnet } from '../subnets/store.ts';

/** An organisation as it is kept. */
export interface OrganisationRecord {
  readonly id: OrganisationId;
  readonly name: string;
  /** The one that runs the factory. */
  readonly isPlatform: boolean;
  readonly createdAtMs: number;
}

/** A project as it is kept; closed ones stay, and keep their names: bills speak of them. */
export interface ProjectRecord {
  readonly id: ProjectId;
  readonly organisationId: OrganisationId;
  readonly name: string;
  readonly createdAtMs: number;
  readonly closedAtMs: number | null;
}

/** A project that is yet to be kept, with the subnet that it begins with. */
export interface NewProject {
  readonly project: ProjectRecord;
  readonly subnet: NewSubnet;
}

/** What keeps a project from being closed. */
export interface ProjectContent {
  readonly batches: number;
  readonly vms: number;
  readonly volumes: number;
  readonly images: number;
}

export type CreateProjectResult =
  | { readonly kind: 'created' }
  | { readonly kind: 'nameTaken' }
  | { readonly kind: 'tooMany' }
  | { readonly kind: 'notFound' };

export type CloseProjectResult =
  | { readonly kind: 'closed' }
  | { readonly kind: 'notFound' }
  | { readonly kind: 'inUse'; readonly content: ProjectContent }
  | { readonly kind: 'lastOne' };

/** Organisations and their projects. Every method is one transaction. */
export interface TenancyStore {
  /** False when another one has the name. */
  createOrganisation(organisation: OrganisationRecord, first: NewProject): Promise<boolean>;
  /** In order of birth; with an `id`, at most the one. */
  listOrganisations(query: {
    readonly id?: OrganisationId;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly OrganisationRecord[]>;
  renameOrganisation(id: OrganisationId, name: string): Promise<'renamed' | 'nameTaken'>;
  createProject(project: NewProject): Promise<CreateProjectResult>;
  /** In order of birth. */
  listProjects(query: {
    readonly organisationId?: OrganisationId;
    readonly id?: ProjectId;
    readonly name?: string;
    readonly after?: string;
    readonly limit: number;
  }): Promise<readonly ProjectRecord[]>;
  renameProject(id: ProjectId, name: string): Promise<'renamed' | 'nameTaken'>;
  /** Closes it, with its subnets and keys, unless something is in it or it is the last open one. */
  closeProject(id: ProjectId, nowMs: number): Promise<CloseProjectResult>;
}
