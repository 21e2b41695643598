import { createHash } from 'node:crypto';
import {
  type Batch,
  type BatchChange,
  type BatchId,
  type BatchPlan,
  type BatchReport,
  type BatchRequest,
  ID_PREFIXES,
  PROBLEMS,
  type ProjectId,
  type VmHardware,
} from '@factory/contracts';
import {
  type Clock,
  type IdGenerator,
  ProblemError,
  type SecretBox,
  sleep,
} from '@factory/runtime';
import { withoutFlavors } from '../flavors/rules.ts';
import type { ImageService } from '../images/service.ts';
import type { JobDispatcher } from '../jobs/dispatcher.ts';
import { summariseBatch } from '../planning/batch-summary.ts';
import { previewPlan } from '../planning/preview.ts';
import { claimOf, decideQuota, quotaExceeded } from '../quota/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import { ruleSecurityRules } from '../subnets/rules.ts';
import { defaultSubnetWish, newSubnet } from '../subnets/service.ts';
import type { WakeHub } from '../wakeups.ts';
import { withAdminPassword } from './admin-password.ts';
import { FILL_DEADLINE_MS } from './fill.ts';
import { holdGone } from './holds.ts';
import { ruleLifetime } from './lifetime.ts';
import { clusterOf, showPlan } from './plan.ts';
import { ruleBatch, ruleLabels } from './rules.ts';
import type {
  BatchListQuery,
  BatchRecord,
  BatchTerms,
  BatchView,
  BatchWishes,
  CreateBatchResult,
  NewBatch,
} from './store.ts';

/** What an estimate is made from. */
const RECENT_MS = 24 * 3_600_000;

/** A batch under a storm of reports is read again this often at most, for each who waits. */
const WATCH_PAUSE_MS = 50;

type BatchServiceStore = Pick<
  ApiStore,
  'batches' | 'flavors' | 'planning' | 'quota' | 'reports' | 'volumes'
>;

/** What the batch routes can do. */
export class BatchService {
  readonly #store: BatchServiceStore;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;
  readonly #jobs: JobDispatcher;
  readonly #wakes: WakeHub;
  readonly #defaultCidr: string;
  readonly #images: Pick<ImageService, 'choose' | 'hardwareOf'>;

  readonly #secrets: SecretBox;

  constructor(parts: {
    readonly secrets: SecretBox;
    readonly store: BatchServiceStore;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly jobs: JobDispatcher;
    readonly wakes: WakeHub;
    /** Of the subnet `default` that a project gets when it needs one. */
    readonly defaultCidr: string;
    readonly images: Pick<ImageService, 'choose' | 'hardwareOf'>;
  }) {
    this.#secrets = parts.secrets;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
    this.#jobs = parts.jobs;
    this.#wakes = parts.wakes;
    this.#defaultCidr = parts.defaultCidr;
    this.#images = parts.images;
  }

  /**
   * Accepts a batch; its machines are planned right after.
   * @throws ProblemError when it can't be, naming the field at fault; nothing is kept then.
   */
  async create(
    projectId: ProjectId,
    request: BatchRequest,
    idempotencyKey: string | undefined,
  ): Promise<Batch> {
    const requestHash = hashOf(withoutSecrets(request));
    // Before all else: what was accepted once is answered as it was, whatever has changed since.
    const known = await this.#answered(projectId, requestHash, idempotencyKey);
    if (known !== undefined) return known;
    const nowMs = this.#clock.nowMs();
    const input = await this.#toNewBatch(projectId, request, nowMs);
    const { batch, terms } = input;
    const answer = summariseBatch({ batch, terms, tallies: [], waiting: [] });
    const idempotency =
      idempotencyKey === undefined ? undefined : { key: idempotencyKey, requestHash, answer };
    const result = await this.#store.batches.create(input, idempotency, nowMs);
    if (result.kind === 'repeated') return result.answer;
    if (result.kind !== 'created') throw refusalOf(result, input, idempotencyKey);
    // Not waited for: the batch is durable, and a job that is lost is found again.
    void this.#jobs.dispatch({ kind: 'planBatch', batchId: batch.id });
    return answer;
  }

  /** A batch that nobody has asked for yet, and what it would take. @throws ProblemError as create */
  async draft(projectId: ProjectId, request: BatchRequest, nowMs: number) {
    const { batch, claim, volumes } = await this.#toNewBatch(projectId, request, nowMs);
    const volumeClusterId = await clusterOf(this.#store.volumes, projectId, volumes, batch.size);
    return { batch: { ...batch, volumeClusterId }, claim };
  }

  /**
   * What would become of a batch if it were asked for now; nothing is kept of it.
   * @throws ProblemError as {@link create}, but for what the quota or others' names say.
   */
  async plan(projectId: ProjectId, request: BatchRequest): Promise<BatchPlan> {
    const nowMs = this.#clock.nowMs();
    const { planning, quota, reports } = this.#store;
    const { batch, claim } = await this.draft(projectId, request, nowMs);
    const preview = previewPlan(await planning.preview(batch, nowMs));
    const [standing, recent] = await Promise.all([
      quota.find(projectId),
      reports.recentSeconds(nowMs - RECENT_MS),
    ]);
    const standings = standing === undefined ? [] : [standing.project, standing.organisation];
    return showPlan(preview, claim, decideQuota(standings, claim), recent);
  }

  async #answered(
    projectId: ProjectId,
    requestHash: string,
    key: string | undefined,
  ): Promise<Batch | undefined> {
    const known = key === undefined ? undefined : await this.#store.batches.keyed(projectId, key);
    if (known === undefined || known.requestHash === requestHash) return known?.answer;
    throw keyReused(key);
  }

  list(query: BatchListQuery): Promise<readonly BatchView[]> {
    return this.#store.batches.list(query);
  }

  /**
   * The batch, and the tag of this state of it. With a tag in `from`, waits up to `ms` until the
   * batch differs from it.
   * @throws ProblemError 404 when the project has no such batch.
   */
  async get(
    projectId: ProjectId,
    id: BatchId,
    wait: { readonly from: string | undefined; readonly ms: number; readonly signal: AbortSignal },
  ): Promise<{ readonly batch: Batch; readonly etag: string }> {
    const endMs = this.#clock.monotonicMs() + wait.ms;
    const watch = this.#wakes.watch(id);
    try {
      for (;;) {
        const found = await this.#read(projectId, id);
        if (found.etag !== wait.from) return found;
        const leftMs = endMs - this.#clock.monotonicMs();
        if (!(await watch.next(leftMs, wait.signal))) return found;
        await sleep(this.#clock, Math.min(WATCH_PAUSE_MS, Math.max(0, leftMs)));
      }
    } finally {
      watch.close();
    }
  }

  /** What was asked for and what became of it, also when it is gone. @throws ProblemError 404 */
  async report(projectId: ProjectId, id: BatchId): Promise<BatchReport> {
    const nowMs = this.#clock.nowMs();
    return (await this.#store.reports.find(projectId, id, nowMs)) ?? throwNotFound(id);
  }

  /** @throws ProblemError 404, or naming the field at fault. */
  async change(projectId: ProjectId, id: BatchId, change: BatchChange): Promise<Batch> {
    const { securityRules, labels } = change;
    const problem = ruleSecurityRules(securityRules ?? []) ?? ruleLabels(labels ?? {});
    if (problem !== undefined) throw invalid(problem);
    const ruling = ruleLifetime(change, this.#clock.nowMs());
    if (ruling.kind === 'invalid') throw invalid(ruling);
    const { batch } = await this.#find(projectId, id);
    const isOver = batch.state === 'deleting' || batch.state === 'deleted';
    if (ruling.kind === 'sound' && isOver) {
      throw new ProblemError(PROBLEMS.wrongState, `${batch.name} is ${batch.state} already.`);
    }
    const view = await this.#store.batches.change(projectId, id, {
      ...(securityRules === undefined ? {} : { securityRules }),
      ...(labels === undefined ? {} : { labels }),
      ...(ruling.kind === 'sound' ? ruling.lifetime : {}),
    });
    return summariseBatch(view ?? throwNotFound(id));
  }

  /** Wishes the batch's machines away. @throws ProblemError 404 when there is no such batch. */
  async delete(projectId: ProjectId, id: BatchId): Promise<Batch> {
    const view = await this.#store.batches.delete(projectId, id, this.#clock.nowMs());
    return summariseBatch(view ?? throwNotFound(id));
  }

  async #find(projectId: ProjectId, id: BatchId): Promise<BatchView> {
    return (await this.#store.batches.find(projectId, id)) ?? throwNotFound(id);
  }

  async #read(projectId: ProjectId, id: BatchId) {
    const batch = summariseBatch(await this.#find(projectId, id));
    return { batch, etag: `"${hashOf(batch).slice(0, 32)}"` };
  }

  async #toNewBatch(projectId: ProjectId, named: BatchRequest, nowMs: number): Promise<NewBatch> {
    const { flavor, flavors } = named;
    const isNamed = flavor !== undefined || flavors !== undefined;
    const known = isNamed ? await this.#store.flavors.list() : [];
    const request = withoutFlavors(named, known);
    const ruling = ruleBatch(request);
    if (ruling.kind === 'invalid') throw invalid(ruling);
    const terms = termsOf(request, nowMs);
    const chosen = await this.#images.choose(projectId, ruling.wish.image);
    const needed = await this.#images.hardwareOf(projectId, chosen);
    const batch: BatchRecord = {
      ...ruling.wish,
      ...chosen,
      wishes: withAdminPassword(withHardware(ruling.wish.wishes, needed), request, this.#secrets),
      id: this.#newId(ID_PREFIXES.batch) as BatchId,
      projectId,
      state: 'accepted',
      nics: [],
      pendingReason: null,
      preempted: 0,
      // Given to it when it is kept.
      ...{ volumes: [], volumeClusterId: null },
      needsPlanning: true,
      createdAtMs: nowMs,
      plannedAtMs: 0,
    };
    const subnet = defaultSubnetWish(this.#defaultCidr);
    const defaultSubnet = newSubnet(this.#newId, projectId, subnet, nowMs);
    const claim = claimOf(batch.size, batch.diskGiB);
    const { volumes = [] } = request;
    const { holdId } = request;
    return { batch, terms, holdId, claim, cards: ruling.cards, defaultSubnet, volumes };
  }
}

/** What may be kept of a request: from a hash of a password it could be guessed. */
function withoutSecrets({ adminPassword: _, ...request }: BatchRequest): BatchRequest {
  return request;
}

/** What the batch says goes before what its image needs. */
function withHardware(wishes: BatchWishes, needed: VmHardware): BatchWishes {
  if (Object.keys(needed).length === 0) return wishes;
  return { ...wishes, hardware: { ...needed, ...wishes.hardware } };
}

/** On which terms it is asked for; a policy that may not be met is settled by a deadline. */
function termsOf(request: BatchRequest, nowMs: number): BatchTerms {
  const { fill = 'bestEffort', deadlineSeconds } = request;
  const lifetime = ruleLifetime(request, nowMs);
  if (lifetime.kind === 'invalid') throw invalid(lifetime);
  const isAny = fill === 'bestEffort' && deadlineSeconds === undefined;
  const waitMs = deadlineSeconds === undefined ? FILL_DEADLINE_MS : deadlineSeconds * 1000;
  return {
    fill,
    deadlineAtMs: isAny ? null : nowMs + waitMs,
    isFillOpen: !isAny,
    ...(lifetime.kind === 'sound' ? lifetime.lifetime : { expiresAtMs: null, warnAtMs: null }),
    ...{ failure: null, warnedAtMs: null },
  };
}

function invalid({ field, detail }: { readonly field: string; readonly detail: string }) {
  return new ProblemError(PROBLEMS.invalidRequest, detail, { field });
}

function keyReused(key: string | undefined): ProblemError {
  const detail = `The key ${key} was used for another batch; use a new one.`;
  return new ProblemError(PROBLEMS.idempotencyConflict, detail, { field: 'idempotency-key' });
}

function throwNotFound(id: BatchId): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no batch ${id}.`);
}

function refusalOf(
  result: Exclude<CreateBatchResult, { readonly kind: 'created' | 'repeated' }>,
  { batch: { name }, holdId }: NewBatch,
  idempotencyKey: string | undefined,
): ProblemError {
  switch (result.kind) {
    case 'keyReused':
      return keyReused(idempotencyKey);
    case 'nameTaken': {
      const detail = `${result.batchId} is called ${name}; delete it first or use another name.`;
      return new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
    }
    case 'noSubnet': {
      const detail = `There is no subnet ${result.name}; make it first: POST /v1/subnets.`;
      return new ProblemError(PROBLEMS.unknownSubnet, detail, { field: result.field });
    }
    case 'badCard':
      return new ProblemError(PROBLEMS.invalidRequest, result.detail, { field: result.field });
    case 'addressTaken': {
      const detail = `${result.vmId} has this address; choose another one, or none.`;
      return new ProblemError(PROBLEMS.addressTaken, detail, { field: result.field });
    }
    case 'subnetFull': {
      const { subnet, addresses } = result;
      const detail = `Subnet ${subnet} has ${addresses} addresses for machines; ask for fewer.`;
      return new ProblemError(PROBLEMS.subnetFull, detail, { field: 'count' });
    }
    case 'holdGone':
      return holdGone(holdId);
    case 'overQuota':
      return quotaExceeded(result.excess);
    case 'volumeUnusable':
      return new ProblemError(PROBLEMS.volumeUnusable, result.detail, { field: 'volumes' });
  }
}

/** SHA-256 of a JSON value, the same for any order of its keys. */
function hashOf(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
  return createHash('sha256').update(text).digest('hex');
}
