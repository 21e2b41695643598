import { PROBLEMS, type Role } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import { type Principal, principalOf } from './principal.ts';

/** Who may do a thing. */
interface AccessRule {
  readonly roles: readonly Role[];
  /** Where the role must hold: in a project, its whole organisation, or the one that runs the factory. */
  readonly within: 'project' | 'organisation' | 'platform';
  /** In words, for whoever is refused: "may not …". */
  readonly act: string;
}

const RULES = {
  look: {
    roles: ['admin', 'operator', 'member', 'viewer'],
    ...{ within: 'project', act: 'look at what projects have' },
  },
  use: {
    roles: ['admin', 'operator', 'member'],
    ...{ within: 'project', act: 'change anything' },
  },
  /** The asker alone. */
  beOneself: {
    roles: ['admin', 'operator', 'member', 'viewer', 'partner'],
    ...{ within: 'project', act: 'ask who they are' },
  },
  /** Clusters: partners see their own, tenants what there is to choose from. */
  lookAtClusters: {
    roles: ['admin', 'operator', 'member', 'viewer', 'partner'],
    ...{ within: 'project', act: 'look at clusters' },
  },
  /** Clusters: operators those of all, partners' admins their own. */
  manageClusters: {
    roles: ['admin', 'operator'],
    ...{ within: 'organisation', act: 'run clusters' },
  },
  /** Who may work in a project. */
  manage: {
    roles: ['admin'],
    ...{ within: 'project', act: 'say who may work in a project: that is for its admins' },
  },
  /** The projects of an organisation. */
  manageOrganisation: {
    roles: ['admin'],
    ...{ within: 'organisation', act: 'manage the organisation: that is for its admins' },
  },
  /** The tenants of the factory. */
  manageFactory: {
    roles: ['admin'],
    ...{
      within: 'platform',
      act: 'manage the factory: that is for admins of its own organisation',
    },
  },
  /** The factory itself: its clusters, hosts, and what all tenants share. */
  operate: {
    roles: ['admin', 'operator'],
    ...{
      within: 'platform',
      act: 'run the factory: that is for operators of its own organisation',
    },
  },
} as const satisfies Record<string, AccessRule>;
type Access = keyof typeof RULES;

/** Every public operation, and who may do it. A route that is not here is not served. */
const ACCESS: Readonly<Record<string, Access>> = {
  acceptCluster: 'operate',
  addBatchSshKey: 'use',
  addVmSshKey: 'use',
  adoptOrphan: 'use',
  attachVolume: 'use',
  auditInvariants: 'operate',
  boundImageRate: 'operate',
  cancelOperation: 'use',
  changeBatch: 'use',
  changeCluster: 'operate',
  changeMyPassword: 'beOneself',
  changeOrganisation: 'manageFactory',
  changeProject: 'manageOrganisation',
  changeSubnet: 'use',
  changeUser: 'manageOrganisation',
  changeVm: 'use',
  closeProject: 'manageOrganisation',
  completeImage: 'use',
  createApiKey: 'manage',
  createBatch: 'use',
  createEnrolmentToken: 'manageClusters',
  createFlavor: 'operate',
  createImage: 'use',
  createOrganisation: 'manageFactory',
  createProject: 'manageOrganisation',
  createSubnet: 'use',
  createUser: 'manageOrganisation',
  createVolume: 'use',
  declareHostGone: 'operate',
  deleteBatch: 'use',
  deleteBatchSnapshot: 'use',
  deleteClusterPolicy: 'operate',
  deleteFlavor: 'operate',
  deleteImageVersion: 'use',
  deleteSubnet: 'use',
  deleteUser: 'manageOrganisation',
  deleteVm: 'use',
  deleteVmSnapshot: 'use',
  deleteVolume: 'use',
  detachVolume: 'use',
  drainCluster: 'manageClusters',
  getApiKey: 'manage',
  getBatch: 'look',
  getBatchReport: 'look',
  getCluster: 'lookAtClusters',
  getClusterConformance: 'lookAtClusters',
  getClusterUsage: 'lookAtClusters',
  getImage: 'look',
  getImageOffset: 'look',
  getMe: 'beOneself',
  getOperation: 'look',
  getOrganisation: 'look',
  getProject: 'look',
  getQuota: 'look',
  getSubnet: 'look',
  getUsage: 'look',
  getUser: 'manageOrganisation',
  getVm: 'look',
  getVmLogs: 'look',
  getVmMetrics: 'look',
  getVmMetricsHistory: 'look',
  getVmScreenshot: 'look',
  getVolume: 'look',
  listApiKeys: 'manage',
  listAudit: 'manage',
  listPlatformAudit: 'operate',
  holdBatch: 'use',
  listBatches: 'look',
  listClusterHosts: 'lookAtClusters',
  listClusterPolicies: 'operate',
  listClusters: 'lookAtClusters',
  listEnrolmentTokens: 'manageClusters',
  listEvents: 'look',
  listFairShares: 'operate',
  listFlavors: 'look',
  listImageVersions: 'look',
  listImages: 'look',
  listMetrics: 'look',
  listOperationResults: 'look',
  listOrganisations: 'look',
  listOrphans: 'look',
  listProjects: 'look',
  listSubnets: 'look',
  listUsageRecords: 'look',
  listUsers: 'manageOrganisation',
  listVmSnapshots: 'look',
  listVms: 'look',
  listVolumes: 'look',
  makeVmImage: 'use',
  openConsole: 'use',
  planBatch: 'look',
  putClusterPolicy: 'operate',
  putImageContent: 'use',
  rebootBatch: 'use',
  rebootVm: 'use',
  rebootVms: 'use',
  rebuildVm: 'use',
  releaseHold: 'use',
  removeOrphan: 'use',
  replicateImage: 'use',
  resetBatch: 'use',
  resetUserPassword: 'manageOrganisation',
  resetVm: 'use',
  resetVms: 'use',
  resizeVm: 'use',
  resumeBatch: 'use',
  resumeCluster: 'manageClusters',
  resumeVm: 'use',
  resumeVms: 'use',
  revertBatch: 'use',
  revertVm: 'use',
  revokeApiKey: 'manage',
  revokeCluster: 'operate',
  revokeEnrolmentToken: 'manageClusters',
  rotateApiKey: 'manage',
  setBatchPassword: 'use',
  setFairShare: 'operate',
  setOrganisationQuota: 'operate',
  setProjectQuota: 'manageOrganisation',
  setVmPassword: 'use',
  signOut: 'beOneself',
  snapshotBatch: 'use',
  snapshotVm: 'use',
  stageImage: 'use',
  startBatch: 'use',
  startVm: 'use',
  startVms: 'use',
  stopBatch: 'use',
  stopReplicatingImage: 'use',
  stopVm: 'use',
  stopVms: 'use',
  streamEvents: 'look',
  suspendBatch: 'use',
  suspendVm: 'use',
  suspendVms: 'use',
  withdrawCluster: 'manageClusters',
  testWebhook: 'use',
  rotateWebhookSecret: 'use',
  listWebhooks: 'use',
  listWebhookDeliveries: 'use',
  getWebhook: 'use',
  deleteWebhook: 'use',
  createWebhook: 'use',
  changeWebhook: 'use',
};

/** What anybody may ask of the gateway. */
const FOR_ANYBODY = ['signIn'];

/** The names of all public operations, sorted. */
export const PUBLIC_OPERATIONS: readonly string[] = [...Object.keys(ACCESS), ...FOR_ANYBODY].sort();

/** What one needs for an operation; `undefined` where anybody may, or there is none. */
export function accessTo(operationId: string): Access | undefined {
  return ACCESS[operationId];
}

/** Whether the principal may do what is under this rule. Pure. */
export function isAllowed({ role, scope, isPlatform }: Principal, access: Access): boolean {
  const { roles, within }: AccessRule = RULES[access];
  if (!roles.includes(role)) return false;
  switch (within) {
    case 'project':
      return true;
    case 'organisation':
      return scope === 'organisation';
    case 'platform':
      return scope === 'organisation' && isPlatform;
  }
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
  return accessTo(schema?.operationId ?? '');
}
