import {
  ID_PREFIXES,
  type Organisation,
  type OrganisationId,
  type OrganisationRequest,
  PROBLEMS,
  type Project,
  type ProjectId,
  type ProjectRequest,
  TENANCY_LIMITS,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import { defaultSubnetWish, newSubnet } from '../subnets/service.ts';
import { reaches, runsFactory } from './reach.ts';
import type { NewProject, OrganisationRecord, ProjectContent, ProjectRecord } from './store.ts';

/** What the factory begins with is called so, and is found by it at each start. */
export const FIRST_NAME = 'default';

interface PageOf {
  readonly after?: string;
  readonly limit: number;
}

/** Organisations and projects, as far as the one who asks reaches. */
export class TenancyService {
  readonly #store: ApiStore['tenancy'];
  readonly #clock: Clock;
  readonly #newId: IdGenerator;
  readonly #subnetCidr: string;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'tenancy'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly subnetCidr: string;
  }) {
    this.#store = parts.store.tenancy;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
    this.#subnetCidr = parts.subnetCidr;
  }

  /** An organisation with a first project. @throws ProblemError when the name is taken. */
  async createOrganisation({ name }: OrganisationRequest): Promise<Organisation> {
    const organisation: OrganisationRecord = {
      id: this.#newId(ID_PREFIXES.organisation) as OrganisationId,
      ...{ name, isPlatform: false, createdAtMs: this.#clock.nowMs() },
    };
    const first = this.#newProject(organisation.id, FIRST_NAME);
    if (await this.#store.createOrganisation(organisation, first)) {
      return showOrganisation(organisation);
    }
    throw nameTaken('organisation', name);
  }

  /** Operators of the factory see all of them, others their own. */
  listOrganisations(principal: Principal, page: PageOf): Promise<readonly OrganisationRecord[]> {
    const own = runsFactory(principal) ? {} : { id: principal.organisationId };
    return this.#store.listOrganisations({ ...page, ...own });
  }

  /** @throws ProblemError 404 out of reach. */
  async getOrganisation(principal: Principal, id: OrganisationId): Promise<Organisation> {
    const [found] = await this.#store.listOrganisations({ id, limit: 1 });
    const isOwn = id === principal.organisationId;
    if (found === undefined || !(isOwn || reaches(principal, { organisationId: id }))) {
      throw new ProblemError(PROBLEMS.notFound, `There is no organisation ${id}.`);
    }
    return showOrganisation(found);
  }

  /** @throws ProblemError 404, or when the name is taken or not to be changed. */
  async renameOrganisation(
    principal: Principal,
    id: OrganisationId,
    name: string,
  ): Promise<Organisation> {
    const organisation = await this.getOrganisation(principal, id);
    if (organisation.isPlatform) throw isFirst('organisation');
    const result = await this.#store.renameOrganisation(id, name);
    if (result === 'nameTaken') throw nameTaken('organisation', name);
    return { ...organisation, name };
  }

  /** @throws ProblemError 404 for an organisation out of reach, or when the name is taken. */
  async createProject(principal: Principal, request: ProjectRequest): Promise<Project> {
    const { name, organisationId = principal.organisationId } = request;
    const missing = `There is no organisation ${organisationId}.`;
    const field = 'organisationId';
    if (!reaches(principal, { organisationId })) {
      throw new ProblemError(PROBLEMS.notFound, missing, { field });
    }
    const created = this.#newProject(organisationId, name);
    const result = await this.#store.createProject(created);
    switch (result.kind) {
      case 'created':
        return showProject(created.project);
      case 'nameTaken':
        throw nameTaken('project', name);
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, missing, { field });
      case 'tooMany': {
        const detail = `The organisation has ${TENANCY_LIMITS.projectsMax} projects, which is the most.`;
        throw new ProblemError(PROBLEMS.limitReached, detail);
      }
    }
  }

  /** Those of the organisation; to who is of one project only, that one. */
  async listProjects(
    principal: Principal,
    query: PageOf & { readonly organisationId?: OrganisationId; readonly name?: string },
  ): Promise<readonly ProjectRecord[]> {
    const { organisationId = principal.organisationId } = query;
    const isOwn = organisationId === principal.organisationId;
    if (!isOwn && !reaches(principal, { organisationId })) return [];
    const own = principal.scope === 'project' ? { id: principal.projectId } : {};
    return this.#store.listProjects({ ...query, organisationId, ...own });
  }

  /** @throws ProblemError 404 out of reach. */
  async getProject(principal: Principal, id: ProjectId): Promise<Project> {
    return showProject(await this.find(principal, id));
  }

  /** The project, if the principal's role holds in it. @throws ProblemError 404. */
  async find(principal: Principal, id: ProjectId, field?: string): Promise<ProjectRecord> {
    const [found] = await this.#store.listProjects({ id, limit: 1 });
    const isReached =
      found !== undefined &&
      reaches(principal, { organisationId: found.organisationId, projectId: id });
    if (isReached) return found;
    const extra = field === undefined ? {} : { field };
    throw new ProblemError(PROBLEMS.notFound, `There is no project ${id}.`, extra);
  }

  /** @throws ProblemError 404, or when the name is taken or not to be changed. */
  async renameProject(principal: Principal, id: ProjectId, name: string): Promise<Project> {
    const project = await this.find(principal, id);
    await this.#refuseFirst(project);
    const result = await this.#store.renameProject(id, name);
    if (result === 'nameTaken') throw nameTaken('project', name);
    return showProject({ ...project, name });
  }

  /** Closes an empty project; doing it again changes nothing. @throws ProblemError 404, 409. */
  async closeProject(principal: Principal, id: ProjectId): Promise<void> {
    const project = await this.find(principal, id);
    if (project.closedAtMs !== null) return;
    await this.#refuseFirst(project);
    const result = await this.#store.closeProject(id, this.#clock.nowMs());
    switch (result.kind) {
      case 'closed':
        return;
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, `There is no project ${id}.`);
      case 'inUse':
        throw new ProblemError(PROBLEMS.projectInUse, inUse(result.content));
      case 'lastOne': {
        const detail = 'It is the last project of its organisation, which needs one.';
        throw new ProblemError(PROBLEMS.projectInUse, detail);
      }
    }
  }

  /** The factory finds its first project by name at each start, and would make another. */
  async #refuseFirst({ organisationId, name }: ProjectRecord): Promise<void> {
    if (name !== FIRST_NAME) return;
    const [owner] = await this.#store.listOrganisations({ id: organisationId, limit: 1 });
    if (owner?.isPlatform === true) throw isFirst('project');
  }

  #newProject(organisationId: OrganisationId, name: string): NewProject {
    const id = this.#newId(ID_PREFIXES.project) as ProjectId;
    const nowMs = this.#clock.nowMs();
    return {
      project: { id, organisationId, name, createdAtMs: nowMs, closedAtMs: null },
      subnet: newSubnet(this.#newId, id, defaultSubnetWish(this.#subnetCidr), nowMs),
    };
  }
}

/** An organisation as the API shows it. */
export function showOrganisation(organisation: OrganisationRecord): Organisation {
  const { id, name, isPlatform, createdAtMs } = organisation;
  return { id, name, isPlatform, createdAt: new Date(createdAtMs).toISOString() };
}

/** A project as the API shows it. */
export function showProject(project: ProjectRecord): Project {
  const { id, organisationId, name, createdAtMs, closedAtMs } = project;
  const state = closedAtMs === null ? 'open' : 'closed';
  return { id, organisationId, name, state, createdAt: new Date(createdAtMs).toISOString() };
}

function inUse({ batches, vms, volumes, images }: ProjectContent): string {
  const content = { batches, machines: vms, volumes, images };
  const parts = Object.entries(content).flatMap(([what, count]) =>
    count === 0 ? [] : [`${count} ${what}`],
  );
  return `There are ${parts.join(', ')} in the project; delete them first.`;
}

function isFirst(what: string): ProblemError {
  const detail = `The ${what} that the factory began with stays, and keeps its name.`;
  return new ProblemError(PROBLEMS.wrongState, detail);
}

function nameTaken(what: string, name: string): ProblemError {
  const detail = `Another ${what} is called ${name}, or was until it was closed; use another name.`;
  return new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
}
