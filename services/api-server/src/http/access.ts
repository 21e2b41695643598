import { PROBLEMS, type Role } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import { type Principal, principalOf } from './principal.ts';

/** Who may do a thing: these roles, and where it says so only of the organisation that runs the factory. */
interface AccessRule {
  readonly roles: readonly Role[];
  readonly ofPlatform: boolean;
  /** In words, for whoever is refused: "may not …". */
  readonly act: string;
}

const RULES = {
  look: {
    roles: ['admin', 'operator', 'member', 'viewer'],
    ...{ ofPlatform: false, act: 'look at what projects have' },
  },
  use: {
    roles: ['admin', 'operator', 'member'],
    ...{ ofPlatform: false, act: 'change anything' },
  },
  /** Clusters: partners see their own, tenants what there is to choose from. */
  lookAtClusters: {
    roles: ['admin', 'operator', 'member', 'viewer', 'partner'],
    ...{ ofPlatform: false, act: 'look at clusters' },
  },
  /** What members of an organisation may have. */
  manage: {
    roles: ['admin'],
    ...{ ofPlatform: false, act: 'manage an organisation' },
  },
  /** The factory itself: its clusters, hosts, and what all tenants share. */
  operate: {
    roles: ['admin', 'operator'],
    ...{ ofPlatform: true, act: 'run the factory: that is for operators of its own organisation' },
  },
} as const satisfies Record<string, AccessRule>;
type Access = keyof typeof RULES;

/** Every public operation, and who may do it. A route that is not here is not served. */
const ACCESS: Readonly<Record<string, Access>> = {
  addBatchSshKey: 'use',
  addVmSshKey: 'use',
  adoptOrphan: 'use',
  attachVolume: 'use',
  auditInvariants: 'operate',
  cancelOperation: 'use',
  changeBatch: 'use',
  changeSubnet: 'use',
  changeVm: 'use',
  completeImage: 'use',
  createBatch: 'use',
  createImage: 'use',
  createSubnet: 'use',
  createVolume: 'use',
  declareHostGone: 'operate',
  deleteBatch: 'use',
  deleteBatchSnapshot: 'use',
  deleteImageVersion: 'use',
  deleteSubnet: 'use',
  deleteVm: 'use',
  deleteVmSnapshot: 'use',
  deleteVolume: 'use',
  detachVolume: 'use',
  getBatch: 'look',
  getImage: 'look',
  getImageOffset: 'look',
  getOperation: 'look',
  getQuota: 'look',
  getSubnet: 'look',
  getVm: 'look',
  getVmLogs: 'look',
  getVmMetrics: 'look',
  getVmMetricsHistory: 'look',
  getVmScreenshot: 'look',
  getVolume: 'look',
  listBatches: 'look',
  listClusters: 'lookAtClusters',
  listEvents: 'look',
  listImageVersions: 'look',
  listImages: 'look',
  listMetrics: 'look',
  listOperationResults: 'look',
  listOrphans: 'look',
  listSubnets: 'look',
  listVmSnapshots: 'look',
  listVms: 'look',
  listVolumes: 'look',
  makeVmImage: 'use',
  openConsole: 'use',
  putImageContent: 'use',
  rebootBatch: 'use',
  rebootVm: 'use',
  rebuildVm: 'use',
  removeOrphan: 'use',
  resetBatch: 'use',
  resetVm: 'use',
  resizeVm: 'use',
  resumeBatch: 'use',
  resumeVm: 'use',
  revertBatch: 'use',
  revertVm: 'use',
  setBatchPassword: 'use',
  setVmPassword: 'use',
  setOrganisationQuota: 'operate',
  setProjectQuota: 'manage',
  snapshotBatch: 'use',
  snapshotVm: 'use',
  stageImage: 'use',
  startBatch: 'use',
  startVm: 'use',
  stopBatch: 'use',
  stopVm: 'use',
  streamEvents: 'look',
  suspendBatch: 'use',
  suspendVm: 'use',
};

/** The names of all public operations, sorted. */
export const PUBLIC_OPERATIONS: readonly string[] = Object.keys(ACCESS).sort();

/** Whether the principal may do what is under this rule. Pure. */
export function isAllowed({ role, isPlatform }: Principal, access: Access): boolean {
  const { roles, ofPlatform }: AccessRule = RULES[access];
  return roles.includes(role) && (isPlatform || !ofPlatform);
}

/** @throws ProblemError 403 when the principal may not. */
export function requireAccess(principal: Principal, access: Access, field?: string): void {
  if (isAllowed(principal, access)) return;
  const detail = `The role ${principal.role} may not ${RULES[access].act}.`;
  throw new ProblemError(PROBLEMS.forbidden, detail, field === undefined ? {} : { field });
}

/**
 * Checks who may do what, for all routes that come later, below `requirePrincipal`.
 * @throws when a route is registered that nobody has said this of.
 */
export function enforceAccess(app: FastifyInstance): void {
  app.addHook('onRoute', ({ schema, url }) => {
    if (accessOf(schema) === undefined) throw new Error(`${url}: nobody said who may do this`);
  });
  app.addHook('onRequest', async (request) => {
    const access = accessOf(request.routeOptions.schema);
    if (access === undefined) throw new Error(`${request.url}: nobody said who may do this`);
    requireAccess(principalOf(request), access);
  });
}

function accessOf(schema: { readonly operationId?: string } | undefined): Access | undefined {
  return ACCESS[schema?.operationId ?? ''];
}
