import { type EventType, PROBLEMS, type ProjectId } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { EventFeed } from './feed.ts';
import type { EventRecord, EventSlice } from './store.ts';

/** Readings that one page may take when it is to have only some types. */
const READINGS_MAX = 20;

/** Some of a project's events, and where the next reading begins. */
export interface Reading {
  readonly events: readonly EventRecord[];
  readonly next: number;
  readonly newest: number;
}

export interface ReadingWish {
  readonly projectId: ProjectId;
  /** The number of the last one that is known; `undefined`: from the oldest on. */
  readonly after: number | undefined;
  /** None: all of them. */
  readonly types: readonly EventType[];
  readonly limit: number;
}

/**
 * Reads events in order, at most `limit` of the types that are wished for; fewer do not mean the end:
 * that is where `next` is `newest`.
 * @throws ProblemError 410 when some after `after` are not kept any more.
 */
export async function readEvents(feed: EventFeed, wish: ReadingWish): Promise<Reading> {
  const { projectId, types, limit } = wish;
  const events: EventRecord[] = [];
  let { after } = wish;
  for (let readings = 0; ; readings += 1) {
    const slice = await feed.after(projectId, after);
    requireKept(slice, after);
    for (const event of slice.events) {
      after = event.seq;
      if (types.length > 0 && !types.includes(event.type)) continue;
      if (events.push(event) === limit) return { events, next: after, newest: slice.lastSeq };
    }
    const isAtEnd = slice.events.length === 0 || after === slice.lastSeq;
    if (isAtEnd || readings === READINGS_MAX) {
      return { events, next: after ?? slice.lastSeq, newest: slice.lastSeq };
    }
  }
}

/** A number from another life of the database is as far away as one that is too old. */
function requireKept({ firstSeq, lastSeq }: EventSlice, after: number | undefined): void {
  if (after === undefined || (after >= firstSeq - 1 && after <= lastSeq)) return;
  const detail =
    after > lastSeq
      ? `There is no event ${after}: the newest is ${lastSeq}. Look at things as they are, and go on after ${lastSeq}.`
      : `Events up to ${firstSeq - 1} are not kept any more. Look at things as they are, and go on after ${lastSeq}.`;
  throw new ProblemError(PROBLEMS.eventsForgotten, detail, {
    field: 'after',
    extra: { oldest: firstSeq, newest: lastSeq },
  });
}
