import type { OrganisationId, ProjectId, QuotaAmounts, QuotaLimits } from '@factory/contracts';
import type { HoldRecord } from '../../batches/hold-store.ts';
import {
  aboveOf,
  amountsOf,
  decideQuota,
  type QuotaExcess,
  type QuotaStanding,
  sumOf,
  unplannedOf,
} from '../../quota/rules.ts';
import type { QuotaStore } from '../../quota/store.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link QuotaStore}. */
export function createMemoryQuota(db: MemoryDatabase): QuotaStore {
  const limitsOf = (id: string): QuotaLimits => db.limits.get(id) ?? {};
  return {
    find: async (projectId) => {
      const organisationId = organisationOf(db, projectId);
      if (organisationId === undefined) return undefined;
      const { project, organisation } = standingsOf(db, projectId, organisationId);
      return { projectId, organisationId, project, organisation };
    },
    setOfProject: async (projectId, organisationId, limits) => {
      const owner = organisationOf(db, projectId);
      const isTheirs = organisationId === undefined || owner === organisationId;
      if (owner === undefined || !isTheirs) return { kind: 'notFound' };
      const limit = aboveOf(limits, limitsOf(owner));
      if (limit !== undefined) return { kind: 'above', limit, max: limitsOf(owner)[limit] ?? 0 };
      db.limits.set(projectId, limits);
      return { kind: 'set' };
    },
    setOfOrganisation: async (id, limits) => {
      if (!db.organisations.has(id)) return { kind: 'notFound' };
      db.limits.set(id, limits);
      return { kind: 'set' };
    },
  };
}

/** Whether a project may have so much more; undefined when it may. */
export function takeQuota(
  db: MemoryDatabase,
  projectId: ProjectId,
  asked: Partial<QuotaAmounts>,
): QuotaExcess | undefined {
  const organisationId = organisationOf(db, projectId);
  if (organisationId === undefined) return undefined;
  const { project, organisation } = standingsOf(db, projectId, organisationId);
  return decideQuota([project, organisation], asked);
}

function organisationOf(db: MemoryDatabase, projectId: ProjectId): OrganisationId | undefined {
  return [...db.projects.values()].find(({ id }) => id === projectId)?.organisationId;
}

function standingsOf(db: MemoryDatabase, projectId: ProjectId, organisationId: OrganisationId) {
  const all = [...db.projects.values()].filter((each) => each.organisationId === organisationId);
  const ofAll = sumOf(all.map(({ id }) => usedBy(db, id)));
  const limits = (id: string): QuotaLimits => db.limits.get(id) ?? {};
  const project: QuotaStanding = {
    ...{ scope: 'project', limits: limits(projectId), used: usedBy(db, projectId) },
  };
  const organisation: QuotaStanding = {
    ...{ scope: 'organisation', limits: limits(organisationId), used: ofAll },
  };
  return { project, organisation };
}

function usedBy(db: MemoryDatabase, projectId: ProjectId): QuotaAmounts {
  const isOf = (each: { readonly projectId: ProjectId }): boolean => each.projectId === projectId;
  const vms = [...db.vms.values()].filter((vm) => isOf(vm) && vm.state !== 'deleted');
  const unplanned = [...db.batches.values()]
    .filter((batch) => isOf(batch) && batch.needsPlanning)
    .map(({ id }) => {
      const planned = sumOf(db.vmsOf(id).map((vm) => amountsOf(1, vm, vm.diskGiB)));
      return unplannedOf(db.claims.get(id) ?? planned, planned);
    });
  const images = [...db.images.versions.values()].filter(
    (each) => isOf(each) && each.state !== 'failed',
  );
  const making = [...db.operations.values()].filter(
    (each) => isOf(each) && each.state === 'running' && each.kind === 'makeImage',
  );
  const volumes = [...db.volumes.values()].filter((each) => isOf(each) && each.state !== 'deleted');
  const subnets = [...db.subnets.values()].filter(
    (each) => isOf(each) && each.deletedAtMs === null,
  );
  return sumOf([
    ...vms.map((vm) => sizeOf(db, vm)),
    ...unplanned,
    ...[...db.holds.values()].filter((each) => isOf(each) && each.batchId === null).map(claimIn),
    ...volumes.map(({ sizeGiB }) => ({ volumes: 1, volumeGiB: sizeGiB })),
    { images: images.length + making.length, subnets: subnets.length },
  ]);
}

function claimIn({ claim }: HoldRecord) {
  return claim;
}

/** One that is being resized counts as what it was or will be, whichever is more. */
function sizeOf(db: MemoryDatabase, vm: VmRecord) {
  const old = db.resizedFrom.get(vm.id);
  if (old === undefined || old.generation <= vm.appliedGeneration) {
    return amountsOf(1, vm, vm.diskGiB);
  }
  return {
    vms: 1,
    vcpus: Math.max(vm.vcpus, old.vcpus),
    memoryMiB: Math.max(vm.memoryMiB, old.memoryMiB),
    diskGiB: Math.max(vm.diskGiB, old.diskGiB),
  };
}
