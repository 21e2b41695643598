import { type ProjectId, TENANCY_LIMITS } from '@factory/contracts';
import type {
  CloseProjectResult,
  CreateProjectResult,
  NewProject,
  ProjectContent,
  TenancyStore,
} from '../../tenancy/store.ts';
import type { MemoryDatabase } from './database.ts';
import { putSubnet, subnetsOf } from './subnets.ts';

/** See {@link TenancyStore}. */
export function createMemoryTenancy(db: MemoryDatabase): TenancyStore {
  return {
    createOrganisation: async (organisation, first) => {
      const all = [...db.organisations.values()];
      if (all.some(({ name }) => name === organisation.name)) return false;
      db.organisations.set(organisation.id, organisation);
      putProject(db, first);
      return true;
    },
    listOrganisations: async ({ id, after = '', limit }) =>
      byBirth(db.organisations.values())
        .filter((each) => each.id > after && (id === undefined || each.id === id))
        .slice(0, limit),
    renameOrganisation: async (id, name) => {
      const all = [...db.organisations.values()];
      if (all.some((each) => each.id !== id && each.name === name)) return 'nameTaken';
      const organisation = db.organisations.get(id);
      if (organisation !== undefined) db.organisations.set(id, { ...organisation, name });
      return 'renamed';
    },
    createProject: async (created) => createProject(db, created),
    listProjects: async ({ organisationId, id, name, after = '', limit }) =>
      byBirth(db.projects.values())
        .filter((each) => each.id > after && (id === undefined || each.id === id))
        .filter((each) => name === undefined || each.name === name)
        .filter((each) => organisationId === undefined || each.organisationId === organisationId)
        .slice(0, limit),
    renameProject: async (id, name) => {
      const project = db.projects.get(id);
      if (project === undefined) return 'renamed';
      const others = [...db.projects.values()].filter((each) => each.id !== id);
      const { organisationId } = project;
      const isTaken = others.some(
        (each) => each.organisationId === organisationId && each.name === name,
      );
      if (isTaken) return 'nameTaken';
      db.projects.set(id, { ...project, name });
      return 'renamed';
    },
    closeProject: async (id, nowMs) => closeProject(db, id, nowMs),
  };
}

/** Keeps a project with its subnet. */
export function putProject(db: MemoryDatabase, { project, subnet }: NewProject): void {
  db.projects.set(project.id, project);
  putSubnet(db, subnet);
}

function createProject(db: MemoryDatabase, created: NewProject): CreateProjectResult {
  const { organisationId, name } = created.project;
  if (!db.organisations.has(organisationId)) return { kind: 'notFound' };
  const all = [...db.projects.values()].filter((each) => each.organisationId === organisationId);
  if (all.some((each) => each.name === name)) return { kind: 'nameTaken' };
  const open = all.filter(({ closedAtMs }) => closedAtMs === null);
  if (open.length >= TENANCY_LIMITS.projectsMax) return { kind: 'tooMany' };
  putProject(db, created);
  return { kind: 'created' };
}

function closeProject(db: MemoryDatabase, id: ProjectId, nowMs: number): CloseProjectResult {
  const project = db.projects.get(id);
  if (project === undefined) return { kind: 'notFound' };
  if (project.closedAtMs !== null) return { kind: 'closed' };
  const content = contentOf(db, id);
  if (Object.values(content).some((count) => count > 0)) return { kind: 'inUse', content };
  const others = [...db.projects.values()].filter(
    (each) => each.organisationId === project.organisationId && each.id !== id,
  );
  if (others.every(({ closedAtMs }) => closedAtMs !== null)) return { kind: 'lastOne' };
  for (const subnet of subnetsOf(db, id)) {
    db.addresses.forget(subnet.id);
    db.subnets.set(subnet.id, { ...subnet, vni: null, deletedAtMs: nowMs });
  }
  for (const key of db.keys.values()) {
    if (key.projectId !== id || key.revoked) continue;
    db.keys.set(key.id, { ...key, revoked: true, revokedAtMs: nowMs });
  }
  db.projects.set(id, { ...project, closedAtMs: nowMs });
  return { kind: 'closed' };
}

function contentOf(db: MemoryDatabase, id: ProjectId): ProjectContent {
  const within = (things: Iterable<{ readonly projectId: ProjectId; readonly state: string }>) =>
    [...things].filter((each) => each.projectId === id && each.state !== 'deleted').length;
  return {
    batches: within(db.batches.values()),
    vms: within(db.vms.values()),
    volumes: within(db.volumes.values()),
    images: within(db.images.versions.values()),
  };
}

function byBirth<T extends { readonly id: string }>(things: Iterable<T>): readonly T[] {
  return [...things].sort((a, b) => (a.id < b.id ? -1 : 1));
}
