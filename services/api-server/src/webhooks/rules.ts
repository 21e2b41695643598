import { type EventType, WEBHOOK_LIMITS } from '@factory/contracts';
import type { EventRecord, EventSlice } from '../events/store.ts';
import type { WebhookRecord, WebhookStanding } from './store.ts';

const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 3_600_000;
const GIVE_UP_AFTER_MS = 24 * 3_600_000;
/** The receiver wants no more (RFC 9110, 15.5.11). */
const GONE = 410;

/** What is sent next, and how far that goes. */
export interface NextDelivery {
  readonly events: readonly EventRecord[];
  readonly cursorSeq: number;
}

/** The events of a slice that a webhook is called with, at most as many as go into one call. Pure. */
export function nextDelivery(
  { events, lastSeq }: EventSlice,
  types: readonly EventType[],
  cursorSeq: number,
): NextDelivery {
  const wanted: EventRecord[] = [];
  // A number that the project has not come to yet is from another life of the database.
  let reached = Math.min(cursorSeq, lastSeq);
  for (const event of events) {
    if (types.length === 0 || types.includes(event.type)) wanted.push(event);
    reached = event.seq;
    if (wanted.length === WEBHOOK_LIMITS.eventsPerDelivery) break;
  }
  return { events: wanted, cursorSeq: reached };
}

/** What came of a call. */
export interface Outcome {
  readonly status: number | null;
  readonly error: string | null;
}

export function isTaken({ status }: Outcome): boolean {
  return status !== null && status >= 200 && status <= 299;
}

/** How a webhook stands after its events were taken, or there were none for it. Pure. */
export function afterTaken(cursorSeq: number, nowMs: number): WebhookStanding {
  return {
    ...{ state: 'active', reason: null, cursorSeq },
    ...{ failingSinceMs: null, attempts: 0, dueAtMs: nowMs },
  };
}

/** How a webhook stands after its events were not taken; `share` is from 0 to 1, by chance. Pure. */
export function afterFailure(
  webhook: WebhookRecord,
  { status, error }: Outcome,
  nowMs: number,
  share: number,
): WebhookStanding {
  const failingSinceMs = webhook.failingSinceMs ?? nowMs;
  const attempts = webhook.attempts + 1;
  const waitMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 20), LAST_RETRY_MS);
  const standing = {
    ...{ cursorSeq: webhook.cursorSeq, failingSinceMs, attempts },
    dueAtMs: Math.round(nowMs + waitMs * (0.75 + share / 4)),
  };
  const what = error ?? `it answered with status ${status}`;
  if (status === GONE) {
    const reason = 'The receiver answered with status 410: it wants no more.';
    return { ...standing, state: 'disabled', reason };
  }
  if (nowMs - failingSinceMs < GIVE_UP_AFTER_MS) {
    return { ...standing, state: 'active', reason: null };
  }
  const reason = `No delivery was taken in a day (${attempts} attempts); the last: ${what}`;
  return { ...standing, state: 'disabled', reason };
}
