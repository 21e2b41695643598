import { type OperationResult, stateDeadlineMs } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { VmStorage } from '../storage/port.ts';
import { type Change, observe } from './observe.ts';
import type { VmRecord } from './record.ts';

/** What a ledger works with. */
interface LedgerContext {
  readonly clock: Clock;
  readonly storage: VmStorage;
  /** Something that the scheduler should hear of has changed. */
  readonly onChange: (record: VmRecord) => void;
  /** A one-shot operation has ended. */
  readonly onResult: (result: OperationResult) => void;
}

/** In a state that may last nothing has a deadline of its own; a call made in one has this. */
const CALL_TIMEOUT_MS = 10_000;

/** The record of one VM, in memory and on the disk, and how long its state has lasted. */
export class Ledger {
  readonly #context: LedgerContext;
  #record: VmRecord;
  #saved: VmRecord | undefined;
  // Monotonic, and this executor's own: a deadline that passed while none ran is no failure.
  #stateSinceMs: number;
  #removalSinceMs: number | undefined;

  constructor(record: VmRecord, context: LedgerContext) {
    this.#record = record;
    this.#context = context;
    this.#stateSinceMs = context.clock.monotonicMs();
  }

  /** The VM as it stands. */
  get record(): VmRecord {
    return this.#record;
  }

  /** Takes what is new about the VM. @throws IllegalTransitionError */
  observe(change: Change): void {
    this.replace(observe(this.#record, change, this.#context.clock.nowMs()));
  }

  /** Takes the record in place of the one before, and tells whoever should hear of it. */
  replace(next: VmRecord): void {
    const before = this.#record;
    this.#record = next;
    if (next.state !== before.state) this.#stateSinceMs = this.#context.clock.monotonicMs();
    if (isWorthTelling(before, next)) this.#context.onChange(next);
    for (const result of next.operations) {
      if (!before.operations.includes(result)) this.#context.onResult(result);
    }
  }

  /** Writes the record, unless it was; with `durable`, it is on the disk when this resolves. */
  async save(durable: boolean, signal?: AbortSignal): Promise<void> {
    const record = this.#record;
    if (this.#saved === record) return;
    signal?.throwIfAborted();
    await this.#context.storage.writeRecord(record, { durable });
    this.#saved = record;
  }

  /** From the first call on, the deadline is that of removing, whatever state is shown. */
  beginRemoval(): void {
    this.#removalSinceMs ??= this.#context.clock.monotonicMs();
  }

  /** What is left of the time that the table of states gives the present state. */
  get remainingMs(): number {
    const limitMs = stateDeadlineMs(this.#record.state, 0) ?? CALL_TIMEOUT_MS;
    return Math.max(1, this.#stateSinceMs + limitMs - this.#context.clock.monotonicMs());
  }

  /** The deadline of the present state, or of the removal, has passed. */
  get isOverdue(): boolean {
    const state = this.#removalSinceMs === undefined ? this.#record.state : 'deleting';
    const sinceMs = this.#removalSinceMs ?? this.#stateSinceMs;
    const deadlineMs = stateDeadlineMs(state, sinceMs) ?? Number.POSITIVE_INFINITY;
    return this.#context.clock.monotonicMs() >= deadlineMs;
  }
}

/** Whether the scheduler should hear of it at once; stages ride along with the next such change. */
function isWorthTelling(before: VmRecord, after: VmRecord): boolean {
  return (
    before.state !== after.state ||
    before.reason !== after.reason ||
    before.message !== after.message ||
    before.guestReady !== after.guestReady ||
    before.guest !== after.guest ||
    before.appliedGeneration !== after.appliedGeneration
  );
}
