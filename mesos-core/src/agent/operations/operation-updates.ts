import type { Timer } from '@factory/runtime';
import type { Operation } from '../../protocol/index.ts';
import { type AgentContext, agentIdOf } from '../context.ts';

interface InFlight {
  readonly operation: Operation;
  timer: Timer;
  retryMs: number;
}

/** Brings the end of each operation to the master, again and again until it is acknowledged. */
export class OperationUpdates {
  readonly #context: AgentContext;
  readonly #inFlight = new Map<string, InFlight>();

  constructor(context: AgentContext) {
    this.#context = context;
  }

  /** Sends the operation's latest status, which is durable. */
  forward(operation: Operation): void {
    this.forget(operation.uuid.value);
    const retryMs = this.#context.settings.statusUpdateRetryMinMs;
    const entry: InFlight = { operation, timer: { cancel: () => undefined }, retryMs };
    this.#inFlight.set(operation.uuid.value, entry);
    this.#send(entry);
  }

  /** Sends at once what is on its way, without waiting for the retry. */
  resendAll(): void {
    for (const entry of this.#inFlight.values()) {
      entry.retryMs = this.#context.settings.statusUpdateRetryMinMs;
      this.#send(entry);
    }
  }

  /** Stops sending. */
  forget(operationUuid: string): void {
    this.#inFlight.get(operationUuid)?.timer.cancel();
    this.#inFlight.delete(operationUuid);
  }

  close(): void {
    for (const uuid of [...this.#inFlight.keys()]) this.forget(uuid);
  }

  #send(entry: InFlight): void {
    const { clock, settings, callMaster } = this.#context;
    const { operation } = entry;
    entry.timer.cancel();
    entry.timer = clock.after(entry.retryMs, () => this.#send(entry));
    entry.retryMs = Math.min(settings.statusUpdateRetryMaxMs, entry.retryMs * 2);
    // Whether it got there shows in the acknowledgement, and nowhere else.
    void callMaster({
      type: 'UPDATE_OPERATION',
      agent_id: agentIdOf(this.#context),
      operation_uuid: operation.uuid.value,
      ...(operation.framework_id === undefined
        ? {}
        : { framework_id: operation.framework_id.value }),
      status: operation.latest_status,
    });
  }
}
