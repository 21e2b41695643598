import {
  ID_PREFIXES,
  type Operation,
  type OperationId,
  type OperationRequest,
  PROBLEMS,
  type ProjectId,
  type VmId,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import type { WakeHub } from '../wakeups.ts';
import { decideOperation, OPERATION_RULES } from './rules.ts';
import type { OperationRecord } from './store.ts';

/** What is asked of a machine, before it is known which. */
export type OperationOrder = {
  [Each in OperationRequest as Each['kind']]: Pick<Each, 'kind' | 'params'>;
}[OperationRequest['kind']];

/** What the routes can do with operations. */
export class OperationService {
  readonly #store: Pick<ApiStore, 'operations'>;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;
  readonly #wakes: WakeHub;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'operations'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
    readonly wakes: WakeHub;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
    this.#wakes = parts.wakes;
  }

  /**
   * The end of a machine's serial log.
   * @throws ProblemError 404; 409 when the host has none; 504 when it did not answer in time.
   */
  async readLog(projectId: ProjectId, vmId: VmId, signal: AbortSignal): Promise<string> {
    const started = await this.start(projectId, vmId, { kind: 'readLog' });
    const { timeoutMs } = OPERATION_RULES.readLog;
    const done = await this.#finish(started, timeoutMs, signal);
    switch (done.state) {
      case 'succeeded':
        return done.output;
      case 'failed': {
        const detail = `The host could not read the log: ${done.message}`;
        throw new ProblemError(PROBLEMS.wrongState, detail);
      }
      case 'running': {
        const detail = `The host did not answer within ${timeoutMs / 1000} s; try again later.`;
        throw new ProblemError(PROBLEMS.timeout, detail);
      }
    }
  }

  /** @throws ProblemError 404 when the project has no such operation. */
  async get(projectId: ProjectId, id: OperationId): Promise<OperationRecord> {
    const found = await this.#store.operations.find(projectId, id);
    if (found === undefined) {
      throw new ProblemError(PROBLEMS.notFound, `There is no operation ${id}.`);
    }
    return found;
  }

  /** Gives the operation to the machine's host. @throws ProblemError 404, or 409 with what to do. */
  async start(
    projectId: ProjectId,
    vmId: VmId,
    { kind, params = {} }: OperationOrder,
  ): Promise<OperationRecord> {
    const nowMs = this.#clock.nowMs();
    const proposed = {
      id: this.#newId(ID_PREFIXES.operation) as OperationId,
      projectId,
      vmId,
      kind,
      params,
      progress: null,
      state: 'running' as const,
      message: '',
      output: '',
      createdAtMs: nowMs,
      deadlineAtMs: nowMs + OPERATION_RULES[kind].timeoutMs,
      finishedAtMs: null,
    };
    const result = await this.#store.operations.start(proposed, (vm) => decideOperation(vm, kind));
    switch (result.kind) {
      case 'started':
        return result.operation;
      case 'refused':
        throw new ProblemError(PROBLEMS.wrongState, result.detail);
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, `There is no machine ${vmId}.`);
    }
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

/** An operation as the API shows it. */
export function showOperation(operation: OperationRecord): Operation {
  const { id, vmId, kind, state, progress, message, createdAtMs, finishedAtMs } = operation;
  return {
    id,
    vmId,
    kind,
    state,
    progress: state === 'running' ? progress : null,
    message,
    createdAt: new Date(createdAtMs).toISOString(),
    finishedAt: finishedAtMs === null ? null : new Date(finishedAtMs).toISOString(),
  };
}
