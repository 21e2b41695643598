import type { Event } from '@factory/contracts';
import type { EventRecord } from './store.ts';

/** An event as the API shows it. Pure. */
export function showEvent({ seq, atMs, type, subject, data }: EventRecord): Event {
  return { number: seq, at: new Date(atMs).toISOString(), type, subject, data: { ...data } };
}
