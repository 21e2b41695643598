import type {
  Batch,
  BatchId,
  BatchReport,
  Capacity,
  ClusterId,
  ClusterImage,
  Flavor,
  HoldId,
  LinkCommand,
  NumberedCommand,
  OperationId,
  OrganisationId,
  ProjectId,
  QuotaLimits,
  Shape,
  SubnetId,
  VmId,
  VolumeId,
} from '@factory/contracts';
import type { KeptAuditRecord } from '../../audit/store.ts';
import type { HoldPart, HoldRecord } from '../../batches/hold-store.ts';
import type { BatchRecord, BatchTerms, BatchView, StateTally } from '../../batches/store.ts';
import type { ConformanceRecord, FleetCluster, TokenRecord } from '../../clusters/fleet-store.ts';
import type { Wake } from '../../clusters/store.ts';
import type { ConsoleTicketRecord } from '../../consoles/store.ts';
import type { ReplicaRecord } from '../../images/replica-store.ts';
import type { StageRecord } from '../../images/store.ts';
import type { ImageVersionRecord } from '../../images/version.ts';
import type { ApiKeyRecord } from '../../keys/store.ts';
import type { BatchOperationRecord, OperationRecord } from '../../operations/store.ts';
import type { ShareRecord } from '../../planning/store.ts';
import type { ClusterPolicyRecord, FairShareRecord } from '../../policies/store.ts';
import type { MachineAmounts } from '../../quota/rules.ts';
import type { Attempts } from '../../sessions/attempts.ts';
import type { SessionRecord } from '../../sessions/store.ts';
import type { SubnetRecord } from '../../subnets/store.ts';
import type { OrganisationRecord, ProjectRecord } from '../../tenancy/store.ts';
import type { UserRecord } from '../../users/store.ts';
import type { ClusterMetrics } from '../../vm-metrics/store.ts';
import type { VmRecord } from '../../vms/store.ts';
import type { VolumeRecord } from '../../volumes/store.ts';
import type { KeptDelivery, WebhookRecord } from '../../webhooks/store.ts';
import { AddressLedger } from './addresses.ts';
import * as changes from './event-changes.ts';
import { EventLedger, noticed } from './events.ts';
import { UsageLedger } from './usage.ts';

/** Of batches that tests put in by hand. */
const ANY_TERMS: BatchTerms = {
  ...{ fill: 'bestEffort', deadlineAtMs: null, isFillOpen: false, failure: null },
  ...{ expiresAtMs: null, warnAtMs: null, warnedAtMs: null },
};

/** A cluster with what only the link and planning need. */
export interface MemoryCluster extends FleetCluster {
  readonly publicKey: string;
  readonly nextPublicKey: string | null;
  /** What operators say of it, before what it says itself. */
  readonly given: Pick<FleetCluster, 'region' | 'attributes'>;
  readonly features: readonly string[];
  /** Since when it has been heard without a longer silence. */
  readonly heardSinceMs: number;
  readonly fullCapacity: Capacity | null;
  readonly ackedSeq: number;
  readonly capacitySeq: number;
  readonly lastCommandSeq: number;
  /** Commands above it have never left an api-server. */
  readonly claimedSeq: number;
  /** Since when it leaves commands unclaimed. */
  readonly silentSinceMs: number | null;
}

/** An enrolment token; that of bootstrap has no id. */
export interface MemoryToken extends Omit<TokenRecord, 'isSpent'> {
  readonly tokenHash: string;
  readonly spentFor?: string;
}

export interface MemoryIdempotency {
  readonly requestHash: string;
  readonly answer: Batch;
  readonly createdAtMs: number;
}

/**
 * The api-server's tables as maps. One object may be shared by several stores, like a database by
 * several processes. A method that does not wait is a transaction here.
 */
export class MemoryDatabase {
  /** What happened, written by the maps in which it did. */
  readonly ledger = new EventLedger();
  readonly usage = new UsageLedger();
  readonly auditLog: KeptAuditRecord[] = [];
  readonly webhooks = new Map<string, WebhookRecord>();
  readonly deliveries: KeptDelivery[] = [];
  /** Clusters that were silent when it was last looked, and since when. */
  readonly silences = new Map<ClusterId, number>();
  readonly organisations = new Map<OrganisationId, OrganisationRecord>();
  readonly projects = new Map<ProjectId, ProjectRecord>();
  readonly users = new Map<string, UserRecord>();
  /** By the hash of their token. */
  readonly sessions = new Map<string, SessionRecord>();
  readonly loginAttempts = new Map<string, Attempts>();
  readonly subnets: Map<SubnetId, SubnetRecord> = noticed(this.ledger, changes.subnetChanges);
  readonly addresses = new AddressLedger();
  lastVni = 0;
  readonly keys: Map<string, ApiKeyRecord> = noticed(this.ledger, changes.keyChanges);
  readonly tokens = new Map<string, MemoryToken>();
  readonly clusters = new Map<ClusterId, MemoryCluster>();
  readonly policies = new Map<string, ClusterPolicyRecord>();
  readonly fairShares = new Map<ProjectId, FairShareRecord>();
  readonly conformance = new Map<ClusterId, ConformanceRecord>();
  readonly commands = new Map<ClusterId, NumberedCommand[]>();
  readonly nonces = new Map<string, number>();
  readonly batches: Map<BatchId, BatchRecord> = noticed(this.ledger, changes.batchChanges);
  readonly terms = new Map<BatchId, BatchTerms>();
  readonly reports = new Map<BatchId, BatchReport>();
  /** What the machines of a batch can come to take. */
  readonly claims = new Map<BatchId, MachineAmounts>();
  readonly shares = new Map<BatchId, readonly ShareRecord[]>();
  readonly vms: Map<VmId, VmRecord> = noticed(this.ledger, changes.vmChanges, (before, after) =>
    this.usage.note(before, after),
  );
  /** The size of a machine until it has applied the wish of this number. */
  readonly resizedFrom = new Map<VmId, Shape & { diskGiB: number; generation: number }>();
  readonly holds = new Map<HoldId, HoldRecord & { readonly parts: readonly HoldPart[] }>();
  readonly flavors = new Map<string, Flavor>();
  /** Of organisations and projects, by their ids. */
  readonly limits = new Map<string, QuotaLimits>();
  readonly volumes: Map<VolumeId, VolumeRecord> = noticed(this.ledger, changes.volumeChanges);
  readonly operations: Map<OperationId, OperationRecord> = noticed(
    this.ledger,
    changes.operationChanges,
  );
  readonly clusterMetrics = new Map<ClusterId, ClusterMetrics>();
  readonly consoleTickets = new Map<string, ConsoleTicketRecord>();
  readonly batchOperations: Map<OperationId, BatchOperationRecord> = noticed(
    this.ledger,
    changes.batchOperationChanges,
  );
  readonly images = {
    versions: noticed(this.ledger, changes.imageChanges) as Map<string, ImageVersionRecord>,
    told: new Map<ClusterId, readonly ClusterImage[]>(),
    stages: new Map<string, StageRecord>(),
    replicas: new Map<string, ReplicaRecord>(),
    rates: new Map<ClusterId, number>(),
  };
  readonly idempotency = new Map<string, MemoryIdempotency>();
  readonly #vmsByBatch = new Map<BatchId, Set<VmId>>();
  readonly #listeners = new Set<(wake: Wake | undefined) => void>();

  putVm(vm: VmRecord): void {
    if (vm.state === 'deleted') this.addresses.release(vm.id);
    this.vms.set(vm.id, vm);
    const ids = this.#vmsByBatch.get(vm.batchId) ?? new Set();
    this.#vmsByBatch.set(vm.batchId, ids.add(vm.id));
  }

  vmsOf(batchId: BatchId): readonly VmRecord[] {
    const ids = this.#vmsByBatch.get(batchId) ?? [];
    return [...ids].flatMap((id) => this.vms.get(id) ?? []);
  }

  viewOf(batch: BatchRecord): BatchView {
    const tallies = new Map<string, StateTally>();
    const waiting = new Map<string, number>();
    for (const { state, guestReady, message, clusterId } of this.vmsOf(batch.id)) {
      const key = `${state} ${clusterId}`;
      const { count, readyCount } = tallies.get(key) ?? { count: 0, readyCount: 0 };
      const ready = readyCount + (guestReady ? 1 : 0);
      tallies.set(key, { state, clusterId, count: count + 1, readyCount: ready });
      const isWaiting = state === 'pending' || state === 'scheduled';
      if (!isWaiting || clusterId === null) continue;
      if (message !== null) waiting.set(message, (waiting.get(message) ?? 0) + 1);
    }
    return {
      batch,
      terms: this.terms.get(batch.id) ?? ANY_TERMS,
      tallies: [...tallies.values()].sort((a, b) => (a.state < b.state ? -1 : 1)),
      waiting: [...waiting].map(([message, count]) => ({ message, count })),
    };
  }

  /** Appends to a cluster's command log; gives the last command's number. */
  appendCommands(clusterId: ClusterId, commands: readonly LinkCommand[]): number {
    const cluster = this.clusters.get(clusterId);
    if (cluster === undefined) throw new Error(`there is no cluster ${clusterId}`);
    const log = this.commands.get(clusterId) ?? [];
    let seq = cluster.lastCommandSeq;
    for (const command of commands) {
      seq += 1;
      log.push({ seq, command });
    }
    this.commands.set(clusterId, log);
    this.clusters.set(clusterId, { ...cluster, lastCommandSeq: seq });
    return seq;
  }

  subscribe(onWake: (wake: Wake | undefined) => void): () => void {
    this.#listeners.add(onWake);
    return () => this.#listeners.delete(onWake);
  }

  wake(wake: Partial<Wake>): void {
    const full: Wake = { clusters: [], batches: [], operations: [], ...wake };
    for (const listener of this.#listeners) listener(full);
  }
}
