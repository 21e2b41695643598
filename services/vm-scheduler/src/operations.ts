import type { OperationRequest, OperationResult, SchedulerMessage } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { SchedulerState } from './state.ts';
import type { OperationRecord } from './store/store.ts';

/** An operation that its executor did not answer in this time has failed. */
const OPERATION_DEADLINE_MS = 120_000;
/** Results are kept this long for readers that were cut off. */
const RESULT_KEPT_MS = 10 * 60_000;

interface OperationDeskOptions {
  readonly state: SchedulerState;
  readonly clock: Clock;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
}

/** One-shot actions: handed to the executor until its result comes, remembered for a while. */
export class OperationDesk {
  readonly #options: OperationDeskOptions;

  constructor(options: OperationDeskOptions) {
    this.#options = options;
  }

  /** Takes requests and hands them to the executors; resolves when they are durable. */
  async request(requests: readonly OperationRequest[]): Promise<void> {
    const { state, clock } = this.#options;
    const fresh = requests.filter(({ operationId }) => state.operation(operationId) === undefined);
    const records = fresh.map((request) => ({
      request,
      revision: 0,
      createdAtMs: clock.nowMs(),
      result: this.#agentOf(request) === undefined ? failed(request, 'It has no live host.') : null,
    }));
    for (const record of records) state.putOperation(record);
    await state.commit();
    this.#hand(records);
  }

  /** Takes results that an executor sent. */
  results(agentId: string, results: readonly OperationResult[]): void {
    const { state } = this.#options;
    for (const result of results) {
      const record = state.operation(result.operationId);
      const isAwaited = record?.result === null && this.#agentOf(record.request) === agentId;
      if (record !== undefined && isAwaited) state.putOperation({ ...record, result });
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
    const open = [...this.#options.state.operations()].filter(
      (record) => record.result === null && this.#agentOf(record.request) === agentId,
    );
    this.#hand(open);
  }

  /** Fails what is past its deadline; gives the ids of what nobody will ask for again. */
  expired(): readonly string[] {
    const { state, clock } = this.#options;
    const forgotten: string[] = [];
    for (const record of state.operations()) {
      const ageMs = clock.nowMs() - record.createdAtMs;
      if (record.result === null && ageMs > OPERATION_DEADLINE_MS) {
        const result = failed(record.request, 'Its host did not answer in time.');
        state.putOperation({ ...record, result });
      } else if (record.result !== null && ageMs > RESULT_KEPT_MS) {
        forgotten.push(record.request.operationId);
      }
    }
    return forgotten;
  }

  #hand(records: readonly OperationRecord[]): void {
    const byAgent = new Map<string, OperationRequest[]>();
    for (const { request, result } of records) {
      const agentId = this.#agentOf(request);
      if (agentId === undefined || result !== null) continue;
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

function failed(request: OperationRequest, message: string): OperationResult {
  const { operationId, vmId } = request;
  return { operationId, vmId, outcome: 'failed', message, output: '' };
}
