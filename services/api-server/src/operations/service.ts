import {
  ID_PREFIXES,
  type OperationId,
  type OperationKind,
  PROBLEMS,
  type ProjectId,
  type VmId,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import type { Static } from 'typebox';
import type { ApiStore } from '../store/api-store.ts';
import type { VmRecord } from '../vms/store.ts';
import { decideReboot } from '../vms/wishes.ts';
import type { WakeHub } from '../wakeups.ts';
import type { OperationSchema } from './schemas.ts';
import type { OperationDecision, OperationRecord } from './store.ts';

/** A reboot that was not reported by then counts as failed. */
const REBOOT_DEADLINE_MS = 5 * 60_000;
/** How long a caller waits for a log. */
const LOG_WAIT_MS = 15_000;

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

  /** @throws ProblemError 404, or 409 with what to do. */
  reboot(projectId: ProjectId, vmId: VmId): Promise<OperationRecord> {
    return this.#start('reboot', projectId, vmId, REBOOT_DEADLINE_MS, decideReboot);
  }

  /**
   * The end of a machine's serial log.
   * @throws ProblemError 404; 409 when the host has none; 504 when it did not answer in time.
   */
  async readLog(projectId: ProjectId, vmId: VmId, signal: AbortSignal): Promise<string> {
    const decide = (vm: VmRecord): OperationDecision =>
      vm.state === 'deleted'
        ? { kind: 'refused', detail: `${vm.name} is deleted, and its log with it.` }
        : { kind: 'allowed' };
    const started = await this.#start('readLog', projectId, vmId, LOG_WAIT_MS, decide);
    const done = await this.#finish(started, LOG_WAIT_MS, signal);
    switch (done.state) {
      case 'succeeded':
        return done.output;
      case 'failed': {
        const detail = `The host could not read the log: ${done.message}`;
        throw new ProblemError(PROBLEMS.wrongState, detail);
      }
      case 'running': {
        const detail = `The host did not answer within ${LOG_WAIT_MS / 1000} s; try again later.`;
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

  async #start(
    kind: OperationKind,
    projectId: ProjectId,
    vmId: VmId,
    timeoutMs: number,
    decide: (vm: VmRecord) => OperationDecision,
  ): Promise<OperationRecord> {
    const nowMs = this.#clock.nowMs();
    const proposed = {
      id: this.#newId(ID_PREFIXES.operation) as OperationId,
      projectId,
      vmId,
      kind,
      params: {},
      progress: null,
      state: 'running' as const,
      message: '',
      output: '',
      createdAtMs: nowMs,
      deadlineAtMs: nowMs + timeoutMs,
      finishedAtMs: null,
    };
    const result = await this.#store.operations.start(proposed, decide);
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
export function showOperation(operation: OperationRecord): Static<typeof OperationSchema> {
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
