import {
  type OperationProgress,
  type OperationRequest,
  type OperationResult,
  type SchedulerMessage,
  withoutSecrets,
} from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { SchedulerState } from './state.ts';
import type { OperationRecord } from './store/store.ts';
import { vmIdOf } from './vm-record.ts';

/** Of requests that name no deadline. */
const OPERATION_DEADLINE_MS = 120_000;
/** Results that the api-server has are kept this long, for commands that come twice. */
const RESULT_KEPT_MS = 10 * 60_000;
/** And those of which no reader has said that it was told. */
const RESULT_UNREPORTED_KEPT_MS = 30 * 24 * 3_600_000;

const SECRET_LOST =
  "The cluster's secret key is another than before, so the password can't be read: give it again.";

interface OperationDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
}

/**
 * One-shot actions: handed to the executor of their VM, whenever it has one, until the result comes
 * or their deadline; then remembered until the api-server has the result.
 */
export class OperationDesk {
  readonly #options: OperationDeskOptions;

  constructor(options: OperationDeskOptions) {
    this.#options = options;
  }

  /** Takes requests and hands them to the executors; resolves when they are durable. */
  async request(requests: readonly OperationRequest[]): Promise<void> {
    const { state, clock } = this.#options;
    const fresh = requests.filter(({ operationId }) => state.operation(operationId) === undefined);
    const createdAtMs = clock.nowMs();
    for (const request of fresh) {
      state.putOperation({ request, revision: 0, createdAtMs, result: null });
    }
    for (const { operationId } of fresh) this.#failIfHopeless(operationId);
    await state.commit();
    this.#hand(fresh.flatMap(({ operationId }) => state.operation(operationId) ?? []));
  }

  /** Takes results that an executor sent. */
  results(agentId: string, results: readonly OperationResult[]): void {
    const { state } = this.#options;
    for (const result of results) {
      const record = state.operation(result.operationId);
      const isAwaited = record?.result === null && this.#agentOf(record.request) === agentId;
      if (record !== undefined && isAwaited) this.#finish(record, result);
    }
  }

  /** Takes what an executor said of operations under way. */
  progress(agentId: string, all: readonly OperationProgress[]): void {
    const { state } = this.#options;
    for (const progress of all) {
      const record = state.operation(progress.operationId);
      if (record?.result !== null || this.#agentOf(record.request) !== agentId) continue;
      const { stage, percent } = record.progress ?? {};
      const isNews = stage !== progress.stage || percent !== progress.percent;
      if (isNews) state.putOperation({ ...record, progress });
    }
  }

  /** Tells the executor that it may forget these results: they are durable here. */
  acknowledge(agentId: string, results: readonly OperationResult[]): void {
    if (results.length === 0) return;
    const operationIds = results.map((result) => result.operationId);
    this.#options.tell(agentId, { type: 'operationsSeen', operationIds });
  }

  /** Hands over again what an agent's executor has not answered. */
  repeat(agentId: string): void {
    const { state } = this.#options;
    const open = state.vmsOfAgent(agentId).flatMap((vm) => state.openOperationsOf(vmIdOf(vm)));
    if (open.length > 0) this.#hand(open);
  }

  /**
   * Fails what is past its deadline; gives the ids of what nobody will ask for again.
   * `reportedRevision` is that up to which the api-server has everything.
   */
  expired(reportedRevision: number): readonly string[] {
    const { state, clock } = this.#options;
    const forgotten: string[] = [];
    for (const { request, revision, createdAtMs, result, finishedAtMs } of state.operations()) {
      if (result === null) {
        this.#failIfHopeless(request.operationId);
        continue;
      }
      const isReported = revision <= reportedRevision;
      const keptMs = isReported ? RESULT_KEPT_MS : RESULT_UNREPORTED_KEPT_MS;
      const ageMs = clock.nowMs() - (finishedAtMs ?? createdAtMs);
      if (ageMs > keptMs) forgotten.push(request.operationId);
    }
    return forgotten;
  }

  /** A VM that has no host at this moment may have one before the deadline: that is waited for. */
  #failIfHopeless(operationId: string): void {
    const { state, clock } = this.#options;
    const record = state.operation(operationId);
    if (record?.result !== null) return;
    const { request, createdAtMs } = record;
    const vm = state.vm(request.vmId);
    const deadlineAtMs = request.deadlineAtMs ?? createdAtMs + OPERATION_DEADLINE_MS;
    if (vm === undefined || vm.phase === 'deleted') {
      this.#finish(record, failed(request, 'The cluster does not have this machine.'));
    } else if (clock.nowMs() >= deadlineAtMs) {
      const isHosted = vm.task !== null;
      const why = isHosted ? 'Its host did not answer in time.' : 'It had no live host in time.';
      this.#finish(record, failed(request, why));
    }
  }

  #finish(record: OperationRecord, result: OperationResult): void {
    const { state, clock } = this.#options;
    // Nobody is asked again: what is secret in it need not be known any more.
    const request = withoutSecrets(record.request);
    state.putOperation({ ...record, request, result, finishedAtMs: clock.nowMs() });
  }

  #hand(records: readonly OperationRecord[]): void {
    const byAgent = new Map<string, OperationRequest[]>();
    for (const record of records) {
      const { request, result } = record;
      const agentId = this.#agentOf(request);
      if (agentId === undefined || result !== null) continue;
      if (lacksSecret(request)) {
        this.#finish(record, failed(request, SECRET_LOST));
        continue;
      }
      byAgent.set(agentId, [...(byAgent.get(agentId) ?? []), request]);
    }
    for (const [agentId, operations] of byAgent) {
      this.#options.tell(agentId, { type: 'operate', operations });
    }
  }

  #agentOf(request: OperationRequest): string | undefined {
    return this.#options.state.vm(request.vmId)?.task?.agentId;
  }
}

/** Not said by a user: an empty password is refused. */
function lacksSecret(request: OperationRequest): boolean {
  return request.kind === 'setPassword' && request.params.password === '';
}

function failed(request: OperationRequest, message: string): OperationResult {
  const { operationId, vmId } = request;
  return { operationId, vmId, outcome: 'failed', message, output: '' };
}
