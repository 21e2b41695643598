import type { AuditStore } from '../audit/store.ts';
import type { HoldStore } from '../batches/hold-store.ts';
import type { ReportStore } from '../batches/report-store.ts';
import type { BatchStore } from '../batches/store.ts';
import type { TermStore } from '../batches/term-store.ts';
import type { BootstrapStore } from '../bootstrap/store.ts';
import type { FleetStore } from '../clusters/fleet-store.ts';
import type { ClusterStore, Wake } from '../clusters/store.ts';
import type { ConsoleStore } from '../consoles/store.ts';
import type { EventStore } from '../events/store.ts';
import type { FlavorStore } from '../flavors/store.ts';
import type { ReplicaStore } from '../images/replica-store.ts';
import type { ImageStore } from '../images/store.ts';
import type { InvariantStore } from '../invariants/store.ts';
import type { KeyStore } from '../keys/store.ts';
import type { OperationStore } from '../operations/store.ts';
import type { OrphanStore } from '../orphans/store.ts';
import type { PlanningStore } from '../planning/store.ts';
import type { FairShareStore, PolicyStore } from '../policies/store.ts';
import type { QuotaStore } from '../quota/store.ts';
import type { SessionStore } from '../sessions/store.ts';
import type { SubnetStore } from '../subnets/store.ts';
import type { TenancyStore } from '../tenancy/store.ts';
import type { UsageStore } from '../usage/store.ts';
import type { UserStore } from '../users/store.ts';
import type { MetricsStore } from '../vm-metrics/store.ts';
import type { VmStore } from '../vms/store.ts';
import type { VolumeStore } from '../volumes/store.ts';
import type { WebhookStore } from '../webhooks/store.ts';

/** Everything that the api-server remembers, by noun. */
export interface ApiStore {
  readonly batches: BatchStore;
  readonly terms: TermStore;
  readonly holds: HoldStore;
  readonly reports: ReportStore;
  readonly vms: VmStore;
  readonly volumes: VolumeStore;
  readonly operations: OperationStore;
  readonly consoles: ConsoleStore;
  readonly metrics: MetricsStore;
  readonly orphans: OrphanStore;
  readonly images: ImageStore;
  readonly replicas: ReplicaStore;
  readonly invariants: InvariantStore;
  readonly clusters: ClusterStore;
  readonly fleet: FleetStore;
  readonly tenancy: TenancyStore;
  readonly keys: KeyStore;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly bootstrap: BootstrapStore;
  readonly planning: PlanningStore;
  readonly subnets: SubnetStore;
  readonly quota: QuotaStore;
  readonly flavors: FlavorStore;
  readonly events: EventStore;
  readonly webhooks: WebhookStore;
  readonly audit: AuditStore;
  readonly policies: PolicyStore;
  readonly fairShares: FairShareStore;
  readonly usage: UsageStore;
  /**
   * Calls `onWake` after every change that somebody may wait for, made by whichever process.
   * `undefined` means that some may have been missed: look at everything.
   */
  subscribe(onWake: (wake: Wake | undefined) => void): () => void;
  /** Rejects when the store does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
