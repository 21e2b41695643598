import { PROBLEMS, type ProjectId, type Vm, type VmId } from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { JobDispatcher } from '../jobs/dispatcher.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { VmListQuery, VmRecord } from './store.ts';
import { showVm } from './view.ts';
import { decideWish, type Wish } from './wishes.ts';

/** What the machine routes can do. */
export class VmService {
  readonly #store: Pick<ApiStore, 'vms'>;
  readonly #clock: Clock;
  readonly #jobs: JobDispatcher;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'vms'>;
    readonly clock: Clock;
    readonly jobs: JobDispatcher;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#jobs = parts.jobs;
  }

  list(query: VmListQuery): Promise<readonly VmRecord[]> {
    return this.#store.vms.list(query);
  }

  /** @throws ProblemError 404 when the project has no such machine. */
  async get(projectId: ProjectId, id: VmId): Promise<Vm> {
    return showVm((await this.#store.vms.find(projectId, id)) ?? throwNotFound(id));
  }

  /**
   * Changes what is wished of a machine; its host follows.
   * @throws ProblemError 404, or 409 with what to do instead.
   */
  async wish(projectId: ProjectId, id: VmId, wish: Wish): Promise<Vm> {
    const nowMs = this.#clock.nowMs();
    const result = await this.#store.vms.wish(projectId, id, (vm) => decideWish(vm, wish, nowMs));
    switch (result.kind) {
      case 'notFound':
        return throwNotFound(id);
      case 'refused':
        throw new ProblemError(PROBLEMS.wrongState, result.detail);
      case 'done': {
        const { vm } = result;
        const needsCluster = vm.clusterId === null && vm.state === 'pending';
        if (needsCluster) void this.#jobs.dispatch({ kind: 'planBatch', batchId: vm.batchId });
        return showVm(vm);
      }
    }
  }
}

function throwNotFound(id: VmId): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no machine ${id}.`);
}
