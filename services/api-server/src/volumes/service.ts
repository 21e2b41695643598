import {
  ID_PREFIXES,
  PROBLEMS,
  type ProjectId,
  type Vm,
  type VmId,
  type Volume,
  type VolumeId,
  type VolumeRequest,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { ClusterRecord } from '../clusters/store.ts';
import { quotaExceeded } from '../quota/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import { showVm } from '../vms/view.ts';
import type { VolumeChange } from './attach.ts';
import type { VolumeListQuery, VolumeView } from './store.ts';

/** What the volume routes can do. */
export class VolumeService {
  readonly #store: Pick<ApiStore, 'volumes' | 'clusters'>;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'volumes' | 'clusters'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
  }

  /** @throws ProblemError naming the field at fault. */
  async create(projectId: ProjectId, request: VolumeRequest): Promise<Volume> {
    const { name, kind, sizeGiB } = request;
    const cluster = chooseCluster(request.cluster, await this.#store.clusters.list());
    const result = await this.#store.volumes.create({
      ...{ id: this.#newId(ID_PREFIXES.volume) as VolumeId, projectId, name, kind, sizeGiB },
      clusterId: cluster.id,
      state: 'available',
      leaseEpoch: 1,
      usedBytes: null,
      createdAtMs: this.#clock.nowMs(),
      ...{ droppedAtMs: null, droppedSeq: null },
    });
    if (result.kind === 'created') return showVolume(result.view);
    if (result.kind === 'overQuota') throw quotaExceeded(result.excess);
    const detail = `${result.id} is called ${name}; delete it first or use another name.`;
    throw new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
  }

  list(query: VolumeListQuery): Promise<readonly VolumeView[]> {
    return this.#store.volumes.list(query);
  }

  /** @throws ProblemError 404 when the project has no such volume. */
  async get(projectId: ProjectId, id: VolumeId): Promise<Volume> {
    return showVolume((await this.#store.volumes.find(projectId, id)) ?? throwNotFound(id));
  }

  /** Gives a machine a volume, or takes it. @throws ProblemError 404, or 409 with what to do. */
  async change(projectId: ProjectId, vmId: VmId, name: string, change: VolumeChange): Promise<Vm> {
    const result = await this.#store.volumes.change(projectId, vmId, name, change);
    if (result.kind === 'done') return showVm(result.vm);
    if (result.kind === 'refused') throw new ProblemError(PROBLEMS.volumeUnusable, result.detail);
    throw new ProblemError(PROBLEMS.notFound, `There is no machine ${vmId}.`);
  }

  /** @throws ProblemError 404, or 409 while machines have it. */
  async delete(projectId: ProjectId, id: VolumeId): Promise<Volume> {
    const result = await this.#store.volumes.delete(projectId, id, this.#clock.nowMs());
    switch (result.kind) {
      case 'deleting':
        return showVolume(result.view);
      case 'notFound':
        return throwNotFound(id);
      case 'inUse': {
        const { machines } = result;
        const have = machines === 1 ? '1 machine has' : `${machines} machines have`;
        throw new ProblemError(PROBLEMS.volumeInUse, `${have} ${id}; delete them first.`);
      }
    }
  }
}

function chooseCluster(name: string | undefined, clusters: readonly ClusterRecord[]) {
  const found = clusters.filter((each) => name === undefined || each.name === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (clusters.length === 0) {
    throw new ProblemError(PROBLEMS.notReady, 'No cluster has joined yet; try again once one has.');
  }
  const names = clusters.map((each) => each.name).join(', ');
  const detail =
    name === undefined
      ? `Say in which cluster it is to live: ${names}.`
      : `There is no cluster ${name}. Known are ${names}.`;
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'cluster' });
}

function throwNotFound(id: VolumeId): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no volume ${id}.`);
}

/** A volume as the API shows it. */
export function showVolume({ volume, clusterName, machines }: VolumeView): Volume {
  const { id, name, projectId, kind, sizeGiB, state, usedBytes, createdAtMs } = volume;
  return {
    ...{ id, name, projectId, kind, sizeGiB, cluster: clusterName, state, machines, usedBytes },
    createdAt: new Date(createdAtMs).toISOString(),
  };
}
