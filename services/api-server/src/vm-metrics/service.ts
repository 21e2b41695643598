import {
  type ClusterId,
  PROBLEMS,
  type ProjectId,
  type VmId,
  type VmMetrics,
  type VmSample,
} from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import type { VmListQuery, VmRecord } from '../vms/store.ts';
import type { ClusterMetrics } from './store.ts';

/** What a cluster did not tell anew for this long is not shown. */
const FRESH_MS = 120_000;

interface Known {
  readonly atMs: number;
  readonly byVm: ReadonlyMap<VmId, VmSample>;
}

const NOTHING: Known = { atMs: 0, byVm: new Map() };

/** Takes what clusters tell of their machines' use, and shows it. */
export class MetricsService {
  readonly #store: Pick<ApiStore, 'metrics' | 'vms'>;
  readonly #clock: Clock;
  /** As read last; several api-servers share the store. */
  readonly #known = new Map<ClusterId, Known>();

  constructor(store: Pick<ApiStore, 'metrics' | 'vms'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Takes the word of a cluster. @throws ProblemError when a newer session has taken its place. */
  async told(clusterId: ClusterId, epoch: number, samples: readonly VmSample[]): Promise<void> {
    const metrics = { atMs: this.#clock.nowMs(), samples };
    if (await this.#store.metrics.put(clusterId, epoch, metrics)) return;
    const detail = 'A newer session of this cluster has replaced this one; open a new one.';
    throw new ProblemError(PROBLEMS.staleEpoch, detail, { field: 'epoch' });
  }

  /** What a machine uses. @throws ProblemError 404 when the project has no such machine. */
  async of(projectId: ProjectId, vmId: VmId): Promise<VmMetrics> {
    const vm = await this.#store.vms.find(projectId, vmId);
    if (vm === undefined) {
      throw new ProblemError(PROBLEMS.notFound, `There is no machine ${vmId}.`);
    }
    return this.#show(vm);
  }

  /** What machines use, in the order of their list, with their ids. */
  async list(query: VmListQuery): Promise<readonly (VmMetrics & { readonly id: VmId })[]> {
    const vms = await this.#store.vms.list(query);
    const clusters = new Set(vms.flatMap(({ clusterId }) => clusterId ?? []));
    // Read once for the page, and not once for each machine of it.
    const read = await Promise.all(
      [...clusters].map(async (id) => [id, await this.#read(id)] as const),
    );
    const known = new Map(read);
    return vms.map((vm) => {
      const of = vm.clusterId === null ? undefined : known.get(vm.clusterId);
      return { id: vm.id, vmId: vm.id, latest: latestOf(of?.byVm.get(vm.id)) };
    });
  }

  async #show({ id, clusterId }: VmRecord): Promise<VmMetrics> {
    const known = clusterId === null ? NOTHING : await this.#read(clusterId);
    return { vmId: id, latest: latestOf(known.byVm.get(id)) };
  }

  async #read(clusterId: ClusterId): Promise<Known> {
    const before = this.#known.get(clusterId) ?? NOTHING;
    const newer = await this.#store.metrics.newerThan(clusterId, before.atMs);
    const known = newer === undefined ? before : byVm(newer);
    this.#known.set(clusterId, known);
    return this.#clock.nowMs() - known.atMs < FRESH_MS ? known : NOTHING;
  }
}

function byVm({ atMs, samples }: ClusterMetrics): Known {
  return { atMs, byVm: new Map(samples.map((sample) => [sample.vmId, sample])) };
}

function latestOf(sample: VmSample | undefined): VmMetrics['latest'] {
  if (sample === undefined) return null;
  const { vmId: _, ...latest } = sample;
  return latest;
}
