import { createHash } from 'node:crypto';
import {
  BATCH_LIMITS,
  BATCH_WISHES,
  type BatchId,
  type BatchOperation,
  type BatchWish,
  ID_PREFIXES,
  type OperationId,
  OperationRequestSchema,
  PROBLEMS,
  type ProjectId,
  type VmSelection,
  withoutSecrets,
} from '@factory/contracts';
import type { SecretBox } from '@factory/runtime';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import { Value } from 'typebox/value';
import type { JobDispatcher } from '../jobs/dispatcher.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { VmRecord } from '../vms/store.ts';
import { type BatchPart, planOperation, planWish } from './batch-plan.ts';
import { OPERATION_RULES } from './rules.ts';
import { sealed } from './secrets.ts';
import type { OperationOrder } from './service.ts';
import type { BatchOperationView, OperationRecord, ResultsQuery } from './store.ts';

/** What is asked of all machines of a batch. */
export type BatchOrder = OperationOrder | { readonly kind: BatchWish };

/** Parts that are read at a time. */
const PAGE = 500;

/** A wish that no machine has followed by then has failed for it. */
const WISH_TIMEOUT_MS = 15 * 60_000;

/** What the routes can do with whole batches. */
export class BatchOperationService {
  readonly #parts: {
    readonly store: Pick<ApiStore, 'operations'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly jobs: JobDispatcher;
    readonly secrets: SecretBox;
  };

  constructor(parts: {
    readonly store: Pick<ApiStore, 'operations'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly jobs: JobDispatcher;
    readonly secrets: SecretBox;
  }) {
    this.#parts = parts;
  }

  /**
   * Does something to all machines of a batch, each with a result of its own: what one can't do does
   * not hold up the others. The same key and order give the same operation, however often they come.
   * @throws ProblemError 404; 409 when the key was used for something else.
   */
  async start(
    projectId: ProjectId,
    batchId: BatchId,
    order: BatchOrder,
    idempotencyKey: string | undefined,
  ): Promise<BatchOperation> {
    const { store, clock, newId, jobs } = this.#parts;
    const nowMs = clock.nowMs();
    const id = newId(ID_PREFIXES.operation) as OperationId;
    const result = await store.operations.startOnBatch(
      {
        ...{ id, projectId, batchId, kind: order.kind, createdAtMs: nowMs },
        idempotencyKey: idempotencyKey ?? null,
        requestHash: hashOf([batchId, order]),
      },
      (vms) => vms.map((vm) => this.#plan(id, vm, order, nowMs)),
    );
    switch (result.kind) {
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, `There is no batch ${batchId}.`);
      case 'keyReused':
        throw keyReused(idempotencyKey);
      case 'started':
        if (result.needsPlanning) void jobs.dispatch({ kind: 'planBatch', batchId });
        return showBatchOperation(result.view);
    }
  }

  /**
   * The same for machines of a project that are chosen one by one, or by what they are.
   * @throws ProblemError 404 when one of them is not there; 409 when the key was used otherwise.
   */
  async startOnMany(
    projectId: ProjectId,
    selection: VmSelection,
    order: BatchOrder,
    idempotencyKey: string | undefined,
  ): Promise<BatchOperation> {
    if ((selection.ids === undefined) === (selection.filter === undefined)) {
      const detail = 'Give either ids or filter.';
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'ids' });
    }
    const { store, clock, newId, jobs } = this.#parts;
    const nowMs = clock.nowMs();
    const id = newId(ID_PREFIXES.operation) as OperationId;
    const result = await store.operations.startOnMany(
      {
        ...{ id, projectId, batchId: null, kind: order.kind, createdAtMs: nowMs },
        idempotencyKey: idempotencyKey ?? null,
        requestHash: hashOf([selection, order]),
      },
      selection,
      (vms) => vms.map((vm) => this.#plan(id, vm, order, nowMs)),
    );
    switch (result.kind) {
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, 'One of these machines is not there.');
      case 'tooMany': {
        const detail = `More than ${BATCH_LIMITS.countMax} machines are so; choose fewer at a time.`;
        throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'filter' });
      }
      case 'keyReused':
        throw keyReused(idempotencyKey);
      case 'started':
        if (result.needsPlanning) void jobs.dispatch({ kind: 'planWaiting' });
        return showBatchOperation(result.view);
    }
  }

  /** Undefined when the project has no such operation. */
  async find(projectId: ProjectId, id: OperationId): Promise<BatchOperation | undefined> {
    const found = await this.#parts.store.operations.findOnBatch(projectId, id);
    return found && showBatchOperation(found);
  }

  /** Its parts that have not ended. */
  async running(projectId: ProjectId, id: OperationId): Promise<readonly OperationRecord[]> {
    const { store } = this.#parts;
    const found: OperationRecord[] = [];
    for (;;) {
      const after = found.at(-1)?.id;
      const page = await store.operations.results({
        ...{ projectId, id, state: 'running', limit: PAGE },
        ...(after === undefined ? {} : { after }),
      });
      found.push(...page);
      if (page.length < PAGE) return found;
    }
  }

  /** A page of what became of the machines. @throws ProblemError 404 */
  async results(query: ResultsQuery): Promise<readonly OperationRecord[]> {
    const { store } = this.#parts;
    if ((await store.operations.findOnBatch(query.projectId, query.id)) !== undefined) {
      return store.operations.results(query);
    }
    const detail = `There is no operation ${query.id} on a batch.`;
    throw new ProblemError(PROBLEMS.notFound, detail);
  }

  #plan(parentId: OperationId, vm: VmRecord, order: BatchOrder, createdAtMs: number): BatchPart {
    const { newId, secrets } = this.#parts;
    const operationId = newId(ID_PREFIXES.operation) as OperationId;
    const draft = {
      ...{ id: operationId, projectId: vm.projectId, vmId: vm.id, parentId },
      ...{ kind: order.kind, wishGeneration: null, params: {}, createdAtMs },
      ...{ progress: null, reason: null, output: '', data: null },
    };
    if (isWishOrder(order)) {
      const deadlineAtMs = createdAtMs + WISH_TIMEOUT_MS;
      return planWish(vm, order.kind, { ...draft, deadlineAtMs });
    }
    const deadlineAtMs = createdAtMs + OPERATION_RULES[order.kind].timeoutMs;
    const request = Value.Parse(OperationRequestSchema, {
      ...{ operationId, vmId: vm.id, deadlineAtMs },
      ...order,
    });
    const params = withoutSecrets(request).params ?? {};
    return planOperation(vm, sealed(request, secrets), { ...draft, params, deadlineAtMs });
  }
}

function keyReused(key: string | undefined): ProblemError {
  const detail = `The key ${key} was used for something else; use a new one.`;
  return new ProblemError(PROBLEMS.idempotencyConflict, detail, { field: 'idempotency-key' });
}

function isWishOrder(order: BatchOrder): order is { readonly kind: BatchWish } {
  return BATCH_WISHES.some((wish) => wish === order.kind);
}

function showBatchOperation(view: BatchOperationView): BatchOperation {
  const { id, batchId, kind, createdAtMs, counts } = view;
  const createdAt = new Date(createdAtMs).toISOString();
  return { id, batchId, kind, state: counts.running > 0 ? 'running' : 'done', counts, createdAt };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
