import {
  type GuestInfo,
  isTransitionAllowed,
  type VmReason,
  type VmStage,
  type VmState,
} from '@factory/contracts';
import type { VmRecord } from './record.ts';

/** What is new about a VM; what is not named stays. */
export type Change = Facts & (Explained | Failed);

interface Explained {
  readonly state?: Exclude<VmState, 'failed'>;
  /** Given with every change of state: an old reason does not explain a new state. */
  readonly reason?: VmReason | null;
  readonly message?: string | null;
}

/** Nothing fails without a code and words for it. */
interface Failed {
  readonly state: 'failed';
  readonly reason: VmReason;
  readonly message: string;
}

interface Facts {
  readonly guestReady?: boolean;
  readonly guest?: GuestInfo;
  readonly stage?: VmStage;
  /** The wish of this generation has been carried out, or has failed. */
  readonly appliedGeneration?: number;
  readonly isMade?: boolean;
}

/** A VM would go from one state to another that the table in contracts does not let follow. */
export class IllegalTransitionError extends Error {
  readonly code = 'FACTORY_ERR_ILLEGAL_TRANSITION';
  constructor(from: VmState, to: VmState) {
    super(`a VM can't go from ${from} to ${to}`);
    this.name = 'IllegalTransitionError';
  }
}

/**
 * The record after a change; the same object when nothing is new. Every change that is seen outside
 * gets a `seq` above the one before, also after a restart and with a clock that was set back.
 * @throws IllegalTransitionError
 */
export function observe(record: VmRecord, change: Change, nowMs: number): VmRecord {
  const state = change.state ?? record.state;
  if (!isTransitionAllowed(record.state, state)) {
    throw new IllegalTransitionError(record.state, state);
  }
  const moved = state !== record.state;
  const { appliedGeneration = 0 } = change;
  // What kept a wish waiting is over when it has been carried out, in whatever state.
  const isOver = moved || appliedGeneration > record.appliedGeneration;
  const { stage } = change;
  const next: VmRecord = {
    ...record,
    state,
    stateSinceMs: moved ? nowMs : record.stateSinceMs,
    reason: change.reason === undefined ? (isOver ? null : record.reason) : change.reason,
    message: change.message === undefined ? (isOver ? null : record.message) : change.message,
    guestReady: change.guestReady ?? (state === 'running' ? record.guestReady : false),
    guest: state === 'running' ? (change.guest ?? record.guest) : null,
    timeline: stage === undefined ? record.timeline : { ...record.timeline, [stage]: nowMs },
    appliedGeneration: change.appliedGeneration ?? record.appliedGeneration,
    isMade: change.isMade ?? record.isMade,
  };
  if (!isNews(record, next)) return { ...next, seq: record.seq };
  return { ...next, seq: Math.max(record.seq + 1, nowMs) };
}

/** Whether the two differ in what the scheduler is told. */
function isNews(before: VmRecord, after: VmRecord): boolean {
  return (
    before.state !== after.state ||
    before.reason !== after.reason ||
    before.message !== after.message ||
    before.guestReady !== after.guestReady ||
    before.guest !== after.guest ||
    before.appliedGeneration !== after.appliedGeneration ||
    before.timeline !== after.timeline
  );
}
