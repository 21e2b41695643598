import { PROBLEMS, type ProjectId, type Vm, type VmChange, type VmId } from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import { hasImage } from '../images/choose.ts';
import type { ImageService } from '../images/service.ts';
import type { JobDispatcher } from '../jobs/dispatcher.ts';
import { quotaExceeded } from '../quota/rules.ts';
import type { OverQuota } from '../quota/store.ts';
import type { ApiStore } from '../store/api-store.ts';
import { describeNoEgress } from '../subnets/cards.ts';
import { ruleSecurityRules } from '../subnets/rules.ts';
import { decideChange } from './network-wishes.ts';
import { decideRebuild, decideResize, type SizeWish } from './spec-wishes.ts';
import type { VmListQuery, VmRecord, WishResult } from './store.ts';
import { showVm } from './view.ts';
import { decideWish, type Wish, type WishDecision } from './wishes.ts';

/** What the machine routes can do. */
export class VmService {
  readonly #store: Pick<ApiStore, 'vms' | 'clusters' | 'subnets'>;
  readonly #clock: Clock;
  readonly #jobs: JobDispatcher;
  readonly #images: Pick<ImageService, 'choose' | 'bring'>;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'vms' | 'clusters' | 'subnets'>;
    readonly clock: Clock;
    readonly jobs: JobDispatcher;
    readonly images: Pick<ImageService, 'choose' | 'bring'>;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#jobs = parts.jobs;
    this.#images = parts.images;
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
  wish(projectId: ProjectId, id: VmId, wish: Wish): Promise<Vm> {
    const nowMs = this.#clock.nowMs();
    return this.#decide(projectId, id, (vm) => decideWish(vm, wish, nowMs));
  }

  /** Gives a stopped machine another size. @throws ProblemError as {@link wish}. */
  resize(projectId: ProjectId, id: VmId, size: SizeWish): Promise<Vm> {
    const { vms } = this.#store;
    return this.#done(
      id,
      vms.resize(projectId, id, (vm) => decideResize(vm, size)),
    );
  }

  /**
   * Changes the networks of a machine, also while it runs.
   * @throws ProblemError as {@link wish}, or naming the field at fault.
   */
  async change(projectId: ProjectId, id: VmId, change: VmChange): Promise<Vm> {
    const problem = ruleSecurityRules(change.securityRules ?? []);
    if (problem !== undefined) {
      throw new ProblemError(PROBLEMS.invalidRequest, problem.detail, { field: problem.field });
    }
    if (change.externalAddress === true) await this.#checkEgress(projectId, id);
    return this.#decide(projectId, id, (vm) => decideChange(vm, change));
  }

  /** An egress that is taken away later lets external addresses rest. */
  async #checkEgress(projectId: ProjectId, id: VmId): Promise<void> {
    const { subnetId } = (await this.#store.vms.find(projectId, id)) ?? throwNotFound(id);
    const view = await this.#store.subnets.find(projectId, subnetId);
    if (view === undefined || view.subnet.egress === 'nat') return;
    const field = 'externalAddress';
    throw new ProblemError(PROBLEMS.invalidRequest, describeNoEgress(view.subnet), { field });
  }

  /**
   * Makes a machine's disk anew of an image that its cluster has.
   * @throws ProblemError as {@link wish}; 422 when its cluster has no such image.
   */
  async rebuild(
    projectId: ProjectId,
    id: VmId,
    { image, imageVersion }: { readonly image: string; readonly imageVersion?: string },
  ): Promise<Vm> {
    const { clusterId } = (await this.#store.vms.find(projectId, id)) ?? throwNotFound(id);
    const asked = imageVersion === undefined ? image : `${image}@${imageVersion}`;
    const chosen = await this.#images.choose(projectId, asked);
    const clusters = await this.#store.clusters.list();
    const known = clusters.find((cluster) => cluster.id === clusterId)?.capacity;
    if (clusterId !== null && (known == null || !hasImage(known, chosen))) {
      const isComing = await this.#images.bring(projectId, chosen, clusterId);
      const next = isComing
        ? `It is brought there now: see ./factory image show ${image}, and try again.`
        : 'See: ./factory image list';
      const detail = `The cluster of this machine has no image ${image}. ${next}`;
      throw new ProblemError(PROBLEMS.unknownImage, detail);
    }
    const newest = known?.imageVersions?.[chosen.image] ?? null;
    const wish = { image: chosen.image, imageVersion: chosen.imageVersion ?? newest };
    return this.#decide(projectId, id, (vm) => decideRebuild(vm, wish));
  }

  #decide(projectId: ProjectId, id: VmId, decide: (vm: VmRecord) => WishDecision): Promise<Vm> {
    return this.#done(id, this.#store.vms.wish(projectId, id, decide));
  }

  async #done(id: VmId, wished: Promise<WishResult | OverQuota>): Promise<Vm> {
    const result = await wished;
    switch (result.kind) {
      case 'notFound':
        return throwNotFound(id);
      case 'overQuota':
        throw quotaExceeded(result.excess);
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
