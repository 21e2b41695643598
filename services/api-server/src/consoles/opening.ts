import {
  CONSOLE_OPENING_TIMEOUT_MS,
  type ConsoleParams,
  type OperationId,
  PROBLEMS,
} from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import { decideOperation } from '../operations/rules.ts';
import type { OperationRecord } from '../operations/store.ts';
import { quotaExceeded } from '../quota/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { WakeHub } from '../wakeups.ts';
import type { ConsoleTicketRecord } from './store.ts';

export interface ConsoleOpeningParts {
  readonly store: Pick<ApiStore, 'operations'>;
  readonly clock: Clock;
  readonly wakes: WakeHub;
}

/** Has hosts open consoles, by operations. */
export class ConsoleOpening {
  readonly #parts: ConsoleOpeningParts;

  constructor(parts: ConsoleOpeningParts) {
    this.#parts = parts;
  }

  /** Gives the operation to the machine's cluster. @throws ProblemError with what to do. */
  async begin(id: OperationId, ticket: ConsoleTicketRecord): Promise<OperationRecord> {
    const { store, clock } = this.#parts;
    const { projectId, vmId, kind } = ticket;
    const params: ConsoleParams = { kind };
    const nowMs = clock.nowMs();
    const deadlineAtMs = nowMs + CONSOLE_OPENING_TIMEOUT_MS;
    const started = await store.operations.start(
      {
        ...{ parentId: null, wishGeneration: null },
        ...{ id, projectId, vmId, params, kind: 'console', state: 'running' },
        ...{ progress: null, reason: null, message: '', output: '', data: null },
        createdAtMs: nowMs,
        deadlineAtMs,
        finishedAtMs: null,
      },
      { operationId: id, vmId, kind: 'console', deadlineAtMs, params },
      (vm) => decideOperation(vm, 'console'),
    );
    switch (started.kind) {
      case 'started':
        return started.operation;
      case 'overQuota':
        throw quotaExceeded(started.excess);
      case 'refused':
        throw new ProblemError(PROBLEMS.wrongState, started.detail);
      case 'notFound':
        throw new ProblemError(PROBLEMS.notFound, `There is no machine ${vmId}.`);
    }
  }

  /** The host's words when it can't open the console; undefined when it can, or is not heard of. */
  async failure(operation: OperationRecord, signal: AbortSignal): Promise<string | undefined> {
    const { store, clock, wakes } = this.#parts;
    const watch = wakes.watch(operation.id);
    const endMs = clock.monotonicMs() + CONSOLE_OPENING_TIMEOUT_MS;
    try {
      for (;;) {
        const found = await store.operations.find(operation.projectId, operation.id);
        if (found?.state === 'failed') return found.message;
        if (found?.state === 'succeeded') return undefined;
        if (!(await watch.next(endMs - clock.monotonicMs(), signal))) return undefined;
      }
    } finally {
      watch.close();
    }
  }
}
