import { atTurnEnd, type Clock, type Logger, type Timer } from '@factory/runtime';
import type { AgentCall, AgentUpdate, TaskStatus } from '../protocol/index.ts';
import type { AgentMetrics } from './metrics.ts';
import type { AgentSettings } from './settings.ts';
import type { TaskRecord } from './state.ts';
import {
  acknowledgeStatus,
  isTerminalState,
  latestState,
  type Received,
  receiveStatus,
} from './status-stream.ts';

/** What {@link StatusUpdates} needs of the agent. */
export interface StatusUpdatesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Pick<AgentSettings, 'statusUpdateRetryMinMs' | 'statusUpdateRetryMaxMs'>;
  readonly metrics: AgentMetrics;
  readonly agentId: () => string;
  readonly send: (call: AgentCall) => Promise<boolean>;
}

/** The update of a task that is on its way to the framework. */
interface InFlight {
  readonly task: TaskRecord;
  readonly uuid: string;
  timer: Timer;
  retryMs: number;
}

/**
 * Brings each task's updates to the master, one after the other, each again and again until the
 * framework has acknowledged it. The caller makes every change durable before the next step.
 */
export class StatusUpdates {
  readonly #options: StatusUpdatesOptions;
  readonly #inFlight = new Map<string, InFlight>();
  /** Due in this turn of the event loop. */
  #outbox: AgentUpdate[] = [];

  constructor(options: StatusUpdatesOptions) {
    this.#options = options;
  }

  /** Adds an update to the task's stream, in memory: commit it, then call {@link forward}. */
  receive(task: TaskRecord, status: TaskStatus): Received['outcome'] {
    const { metrics, logger } = this.#options;
    const result = receiveStatus(task.stream, status);
    if (result.outcome === 'accepted') {
      task.stream = result.stream;
      metrics.validStatusUpdates += 1;
      if (isTerminalState(status.state)) {
        const count = metrics.endedTasks.get(status.state) ?? 0;
        metrics.endedTasks.set(status.state, count + 1);
      }
    } else if (result.outcome === 'late') {
      metrics.invalidStatusUpdates += 1;
      const taskId = task.info.task_id.value;
      logger.warn({ taskId, state: status.state }, 'dropping an update of a task that has ended');
    }
    return result.outcome;
  }

  /** Sends the oldest unacknowledged update, unless it is on its way already. */
  forward(task: TaskRecord): void {
    const [head] = task.stream.pending;
    const current = this.#inFlight.get(keyOf(task));
    if (head?.uuid === undefined || current?.uuid === head.uuid) return;
    current?.timer.cancel();
    const retryMs = this.#options.settings.statusUpdateRetryMinMs;
    const entry: InFlight = { task, uuid: head.uuid, timer: { cancel: () => undefined }, retryMs };
    this.#inFlight.set(keyOf(task), entry);
    this.#send(entry);
  }

  /**
   * Takes the framework's acknowledgement, in memory: commit it, then call {@link forward}, or let
   * go of the task when it is `finished`.
   */
  acknowledge(task: TaskRecord, uuid: string): 'next' | 'finished' | 'unexpected' {
    const result = acknowledgeStatus(task.stream, uuid);
    if (result.outcome === 'unexpected') return 'unexpected';
    task.stream = result.stream;
    this.forget(task);
    return result.finished ? 'finished' : 'next';
  }

  /** A master is there (again): sends at once what is on its way, without waiting for the retry. */
  resendAll(): void {
    for (const entry of this.#inFlight.values()) {
      entry.retryMs = this.#options.settings.statusUpdateRetryMinMs;
      this.#send(entry);
    }
  }

  /** Stops sending the task's updates. */
  forget(task: TaskRecord): void {
    this.#inFlight.get(keyOf(task))?.timer.cancel();
    this.#inFlight.delete(keyOf(task));
  }

  /** Stops everything. */
  close(): void {
    for (const entry of this.#inFlight.values()) entry.timer.cancel();
    this.#inFlight.clear();
  }

  #send(entry: InFlight): void {
    const { clock, settings, metrics } = this.#options;
    const { task } = entry;
    const [status] = task.stream.pending;
    if (status === undefined) return;
    entry.timer.cancel();
    entry.timer = clock.after(entry.retryMs, () => {
      metrics.statusUpdateRetries += 1;
      this.#send(entry);
    });
    entry.retryMs = Math.min(settings.statusUpdateRetryMaxMs, entry.retryMs * 2);
    const latest_state = latestState(task.stream);
    this.#outbox.push({ framework_id: task.frameworkId, status, latest_state });
    if (this.#outbox.length === 1) atTurnEnd(() => this.#flush());
  }

  /** Whether they got there shows in the acknowledgements, and nowhere else. */
  #flush(): void {
    const { agentId, send } = this.#options;
    const updates = this.#outbox;
    this.#outbox = [];
    const [first] = updates;
    if (first === undefined) return;
    const agent_id = agentId();
    if (updates.length === 1) void send({ type: 'UPDATE', agent_id, ...first });
    else void send({ type: 'UPDATES', agent_id, updates });
  }
}

function keyOf(task: TaskRecord): string {
  return JSON.stringify([task.frameworkId, task.info.task_id.value]);
}
