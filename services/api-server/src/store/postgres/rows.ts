import type { BatchRecord, BatchTerms } from '../../batches/store.ts';
import type { FleetCluster } from '../../clusters/fleet-store.ts';
import type { ClusterRecord } from '../../clusters/store.ts';
import type { ConsoleTicketRecord } from '../../consoles/store.ts';
import type { ImageVersionRecord } from '../../images/version.ts';
import type { ApiKeyRecord } from '../../keys/store.ts';
import type { OperationRecord } from '../../operations/store.ts';
import type { SessionRecord } from '../../sessions/store.ts';
import type { SubnetRecord } from '../../subnets/store.ts';
import type { OrganisationRecord, ProjectRecord } from '../../tenancy/store.ts';
import type { UserRecord } from '../../users/store.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { VolumeRecord } from '../../volumes/store.ts';

/** A table's row: what pg makes of it. The columns are as the migrations say. */
export type Row = Readonly<Record<string, unknown>>;

type Columns<T> = { readonly [K in keyof T]: string };

const BATCH_COLUMNS: Columns<BatchRecord> = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  state: 'state',
  image: 'image',
  imageVersion: 'image_version',
  size: 'size',
  diskGiB: 'disk_gib',
  sshPublicKeys: 'ssh_public_keys',
  userData: 'user_data',
  labels: 'labels',
  wishes: 'wishes',
  nics: 'nics',
  securityRules: 'security_rules',
  volumes: 'volumes',
  volumeClusterId: 'volume_cluster_id',
  priority: 'priority',
  preemptible: 'preemptible',
  preempted: 'preempted',
  clusters: 'clusters',
  pendingReason: 'pending_reason',
  needsPlanning: 'needs_planning',
  createdAtMs: 'created_at_ms',
  plannedAtMs: 'planned_at_ms',
};

const TERM_COLUMNS: Columns<BatchTerms> = {
  fill: 'fill',
  deadlineAtMs: 'deadline_at_ms',
  isFillOpen: 'is_fill_open',
  failure: 'failure',
  expiresAtMs: 'expires_at_ms',
  warnAtMs: 'warn_at_ms',
  warnedAtMs: 'warned_at_ms',
};

const VM_COLUMNS: Columns<VmRecord> = {
  id: 'id',
  projectId: 'project_id',
  batchId: 'batch_id',
  batchName: 'batch_name',
  name: 'name',
  image: 'image',
  imageVersion: 'image_version',
  imageGeneration: 'image_generation',
  vcpus: 'vcpus',
  memoryMiB: 'memory_mib',
  diskGiB: 'disk_gib',
  subnetId: 'subnet_id',
  addressOffset: 'address_offset',
  ipAddress: 'ip_address',
  macAddress: 'mac_address',
  nics: 'nics',
  createdAtMs: 'created_at_ms',
  desired: 'desired',
  generation: 'generation',
  clusterId: 'cluster_id',
  assignmentEpoch: 'assignment_epoch',
  assignedSeq: 'assigned_seq',
  state: 'state',
  stateSinceMs: 'state_since_ms',
  guestReady: 'guest_ready',
  reason: 'reason',
  message: 'message',
  hostName: 'host_name',
  revision: 'revision',
  appliedGeneration: 'applied_generation',
  timeline: 'timeline',
  volumes: 'volumes',
  leavingVolumes: 'leaving_volumes',
  securityRules: 'security_rules',
  wantsExternal: 'wants_external',
  externalAddress: 'external_address',
  guest: 'guest',
  excluded: 'excluded',
};

const VOLUME_COLUMNS: Columns<VolumeRecord> = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  kind: 'kind',
  sizeGiB: 'size_gib',
  clusterId: 'cluster_id',
  state: 'state',
  leaseEpoch: 'lease_epoch',
  usedBytes: 'used_bytes',
  createdAtMs: 'created_at_ms',
  droppedAtMs: 'dropped_at_ms',
  droppedSeq: 'dropped_seq',
};

const OPERATION_COLUMNS: Columns<OperationRecord> = {
  id: 'id',
  projectId: 'project_id',
  vmId: 'vm_id',
  clusterId: 'cluster_id',
  parentId: 'parent_id',
  wishGeneration: 'wish_generation',
  kind: 'kind',
  params: 'params',
  progress: 'progress',
  state: 'state',
  reason: 'reason',
  message: 'message',
  output: 'output',
  data: 'data',
  createdAtMs: 'created_at_ms',
  deadlineAtMs: 'deadline_at_ms',
  finishedAtMs: 'finished_at_ms',
};

const CONSOLE_TICKET_COLUMNS: Columns<ConsoleTicketRecord> = {
  id: 'id',
  secretHash: 'secret_hash',
  projectId: 'project_id',
  vmId: 'vm_id',
  kind: 'kind',
  expiresAtMs: 'expires_at_ms',
  operationId: 'operation_id',
  heldAt: 'held_at',
};

const KEY_COLUMNS: Columns<ApiKeyRecord> = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  role: 'role',
  scope: 'scope',
  sealedSecret: 'sealed_secret',
  allowsUcloud: 'allows_ucloud',
  createdAtMs: 'created_at_ms',
  createdBy: 'created_by',
  expiresAtMs: 'expires_at_ms',
  revoked: 'revoked',
  revokedAtMs: 'revoked_at_ms',
  lastUsedAtMs: 'last_used_at_ms',
  successorId: 'successor_id',
};

const USER_COLUMNS: Columns<UserRecord> = {
  id: 'id',
  organisationId: 'organisation_id',
  email: 'email',
  name: 'name',
  disabled: 'disabled',
  passwordHash: 'password_hash',
  memberships: 'memberships',
  oidcSubject: 'oidc_subject',
  createdAtMs: 'created_at_ms',
};

const SESSION_COLUMNS: Columns<SessionRecord> = {
  id: 'id',
  tokenHash: 'token_hash',
  userId: 'user_id',
  createdAtMs: 'created_at_ms',
  lastUsedAtMs: 'last_used_at_ms',
  expiresAtMs: 'expires_at_ms',
};

const ORGANISATION_COLUMNS: Columns<OrganisationRecord> = {
  id: 'id',
  name: 'name',
  isPlatform: 'is_platform',
  createdAtMs: 'created_at_ms',
};

const PROJECT_COLUMNS: Columns<ProjectRecord> = {
  id: 'id',
  organisationId: 'organisation_id',
  name: 'name',
  createdAtMs: 'created_at_ms',
  closedAtMs: 'closed_at_ms',
};

const SUBNET_COLUMNS: Columns<SubnetRecord> = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  cidr: 'cidr',
  vni: 'vni',
  egress: 'egress',
  dnsDomain: 'dns_domain',
  securityRules: 'security_rules',
  nextOffset: 'next_offset',
  createdAtMs: 'created_at_ms',
  deletedAtMs: 'deleted_at_ms',
};

const CLUSTER_COLUMNS: Columns<ClusterRecord> = {
  id: 'id',
  name: 'name',
  epoch: 'epoch',
  enrolledAtMs: 'enrolled_at_ms',
  lastSeenAtMs: 'last_seen_at_ms',
  capacity: 'capacity_summary',
};

const FLEET_COLUMNS: Columns<FleetCluster> = {
  ...CLUSTER_COLUMNS,
  ownerOrganisationId: 'owner_organisation_id',
  region: 'region',
  attributes: 'attributes',
  state: 'state',
  stateSinceMs: 'state_since_ms',
  noticeUntilMs: 'notice_until_ms',
  caps: 'caps',
};

const IMAGE_COLUMNS: Columns<ImageVersionRecord> = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  folder: 'folder',
  visibility: 'visibility',
  state: 'state',
  stateSinceMs: 'state_since_ms',
  deadlineAtMs: 'deadline_at_ms',
  leaseUntilMs: 'lease_until_ms',
  message: 'message',
  facts: 'facts',
  source: 'source',
  expectedSha256: 'expected_sha256',
  version: 'version',
  format: 'format',
  sizeBytes: 'size_bytes',
  totalBytes: 'total_bytes',
  virtualSizeBytes: 'virtual_size_bytes',
  createdAtMs: 'created_at_ms',
  copiedAtMs: 'copied_at_ms',
};

/** Translates between a kind of record and its table's rows. */
export interface RowCodec<T> {
  readonly columns: readonly string[];
  fromRow(row: Row): T;
  /** The columns of some properties; of such a row `fromRow` gives just these. */
  columnsOf(properties: readonly (keyof T)[]): readonly string[];
  toRow(record: T): Record<string, unknown>;
  /** The columns of those properties that are given. */
  toPartialRow(record: Partial<T>): Record<string, unknown>;
}

function codec<T extends object>(columns: Columns<T>): RowCodec<T> {
  const pairs = Object.entries(columns) as [keyof T & string, string][];
  return {
    columns: pairs.map(([, column]) => column),
    columnsOf: (properties) => properties.map((property) => columns[property]),
    fromRow: (row) =>
      // The database is typed by its migrations; this is where that knowledge enters the code.
      Object.fromEntries(pairs.map(([property, column]) => [property, row[column]])) as T,
    toRow: (record) =>
      Object.fromEntries(pairs.map(([property, column]) => [column, record[property]])),
    toPartialRow: (record) =>
      Object.fromEntries(
        pairs.flatMap(([property, column]) =>
          property in record ? [[column, record[property]]] : [],
        ),
      ),
  };
}

export const batchRows = codec<BatchRecord>(BATCH_COLUMNS);
/** Of the table `batches`, too. */
export const termRows = codec<BatchTerms>(TERM_COLUMNS);
export const vmRows = codec<VmRecord>(VM_COLUMNS);
export const volumeRows = codec<VolumeRecord>(VOLUME_COLUMNS);
export const operationRows = codec<OperationRecord>(OPERATION_COLUMNS);
export const consoleTicketRows = codec<ConsoleTicketRecord>(CONSOLE_TICKET_COLUMNS);
export const keyRows = codec<ApiKeyRecord>(KEY_COLUMNS);
export const userRows = codec<UserRecord>(USER_COLUMNS);
export const sessionRows = codec<SessionRecord>(SESSION_COLUMNS);
export const organisationRows = codec<OrganisationRecord>(ORGANISATION_COLUMNS);
export const projectRows = codec<ProjectRecord>(PROJECT_COLUMNS);
export const subnetRows = codec<SubnetRecord>(SUBNET_COLUMNS);
export const imageRows = codec<ImageVersionRecord>(IMAGE_COLUMNS);
export const clusterRows = codec<ClusterRecord>(CLUSTER_COLUMNS);
export const fleetRows = codec<FleetCluster>(FLEET_COLUMNS);
