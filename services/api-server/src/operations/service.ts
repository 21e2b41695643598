import {
  ID_PREFIXES,
  imageNameOf,
  type Operation,
  type OperationId,
  type OperationKind,
  type OperationRequest,
  OperationRequestSchema,
  PROBLEMS,
  type ProjectId,
  type VmId,
  withoutSecrets,
} from '@factory/contracts';
import type { SecretBox } from '@factory/runtime';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import { Value } from 'typebox/value';
import { quotaExceeded } from '../quota/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { WakeHub } from '../wakeups.ts';
import { decideOperation, OPERATION_RULES, whyNotCancelled } from './rules.ts';
import { sealed } from './secrets.ts';
import type { OperationRecord } from './store.ts';

/** What is asked of a machine, before it is known which. */
export type OperationOrder = {
  [Each in OperationRequest as Each['kind']]: Pick<Each, 'kind' | 'params'>;
}[OperationKind];

/** What is only looked at. */
type ReadOrder = Extract<
  OperationOrder,
  { kind: 'readLog' | 'screenshot' | 'listSnapshots' | 'metricsHistory' }
>;

/** What the routes can do with operations. */
export class OperationService {
  readonly #store: Pick<ApiStore, 'operations'>;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;
  readonly #wakes: WakeHub;
  readonly #secrets: SecretBox;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'operations'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly wakes: WakeHub;
    readonly secrets: SecretBox;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
    this.#wakes = parts.wakes;
    this.#secrets = parts.secrets;
  }

  /** Gives the operation to the machine's host. @throws ProblemError 404, or 409 with what to do. */
  async start(projectId: ProjectId, vmId: VmId, order: OperationOrder): Promise<OperationRecord> {
    const nowMs = this.#clock.nowMs();
    const operationId = this.#newId(ID_PREFIXES.operation) as OperationId;
    const deadlineAtMs = nowMs + OPERATION_RULES[order.kind].timeoutMs;
    // Parsed: the compiler can't know that the parameters are still those of the kind.
    const request = Value.Parse(OperationRequestSchema, {
      ...{ operationId, vmId, deadlineAtMs },
      ...order,
    });
    const proposed = {
      id: operationId,
      projectId,
      vmId,
      kind: order.kind,
      params: withoutSecrets(request).params ?? {},
      ...{ parentId: null, wishGeneration: null },
      progress: null,
      state: 'running' as const,
      reason: null,
      message: '',
      output: '',
      data: null,
      createdAtMs: nowMs,
      deadlineAtMs,
      finishedAtMs: null,
    };
    const told = sealed(request, this.#secrets);
    const result = await this.#store.operations.start(proposed, told, (vm) =>
      decideOperation(vm, order.kind),
    );
    switch (result.kind) {
      case 'started':
        return result.operation;
      case 'overQuota':
        throw quotaExceeded(result.excess);
      case 'refused':
        throw new ProblemError(PROBLEMS.wrongState, result.detail);
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, `There is no machine ${vmId}.`);
    }
  }

  /**
   * What the host finds, such as the end of a machine's log, waited for.
   * @throws ProblemError 404; 409 when the host can't; 504 when it did not answer in time.
   */
  async read(
    projectId: ProjectId,
    vmId: VmId,
    order: ReadOrder,
    signal: AbortSignal,
  ): Promise<OperationRecord> {
    const started = await this.start(projectId, vmId, order);
    const { timeoutMs } = OPERATION_RULES[order.kind];
    const done = await this.#finish(started, timeoutMs, signal);
    switch (done.state) {
      case 'succeeded':
        return done;
      case 'failed': {
        const detail = `The host could not do it: ${done.message}`;
        throw new ProblemError(PROBLEMS.wrongState, detail);
      }
      case 'running': {
        const detail = `The host did not answer within ${timeoutMs / 1000} s; try again later.`;
        throw new ProblemError(PROBLEMS.timeout, detail);
      }
    }
  }

  /**
   * Asks the host to end an operation, and to take back what was made for it; gives the operation that
   * says whether that came in time. @throws ProblemError 404, or 409 with what to do.
   */
  async cancel(projectId: ProjectId, id: OperationId): Promise<OperationRecord> {
    const target = await this.get(projectId, id);
    const refusal = whyNotCancelled(target);
    if (refusal !== undefined) throw new ProblemError(PROBLEMS.wrongState, refusal);
    return this.start(projectId, target.vmId, { kind: 'cancel', params: { operationId: id } });
  }

  /** @throws ProblemError 404 when the project has no such operation. */
  async get(projectId: ProjectId, id: OperationId): Promise<OperationRecord> {
    const found = await this.#store.operations.find(projectId, id);
    if (found === undefined) {
      throw new ProblemError(PROBLEMS.notFound, `There is no operation ${id}.`);
    }
    return found;
  }

  async #finish(
    operation: OperationRecord,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<OperationRecord> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    const watch = this.#wakes.watch(operation.id);
    try {
      for (;;) {
        const found = await this.get(operation.projectId, operation.id);
        if (found.state !== 'running') return found;
        const leftMs = endMs - this.#clock.monotonicMs();
        if (!(await watch.next(leftMs, signal))) return found;
      }
    } finally {
      watch.close();
    }
  }
}

/** What people call an image is not the name of its folder. */
function shownData({ data }: OperationRecord): Operation['data'] {
  return data?.kind === 'makeImage' ? { ...data, name: imageNameOf(data.name) } : data;
}

/** An operation as the API shows it. */
export function showOperation(operation: OperationRecord): Operation {
  const { id, vmId, kind, state, progress, reason, message } = operation;
  const { createdAtMs, finishedAtMs } = operation;
  return {
    id,
    vmId,
    kind,
    state,
    progress: state === 'running' ? progress : null,
    reason,
    message,
    data: shownData(operation),
    createdAt: new Date(createdAtMs).toISOString(),
    finishedAt: finishedAtMs === null ? null : new Date(finishedAtMs).toISOString(),
  };
}
