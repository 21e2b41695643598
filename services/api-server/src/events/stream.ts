import type { ServerResponse } from 'node:http';
import type { EventType, ProjectId } from '@factory/contracts';
import type { Clock, Timer } from '@factory/runtime';
import type { EventFeed } from './feed.ts';
import { readEvents } from './reading.ts';
import { showEvent } from './show.ts';
import type { EventRecord } from './store.ts';

/** A silence that proxies and readers take for a living stream. */
const HEARTBEAT_MS = 15_000;
/** Who has not taken what was sent by then is cut off; it resumes where it was. */
const SLOW_AFTER_MS = 15_000;
const PAGE_MAX = 500;

export interface StreamWish {
  readonly projectId: ProjectId;
  readonly after: number;
  readonly types: readonly EventType[];
}

/**
 * Sends events as server-sent events (HTML Living Standard, 9.2) until the reader goes away, is too
 * slow, has fallen behind what is kept, or the api-server ends. At most one page is held of it.
 */
export async function streamEvents(
  parts: { readonly feed: EventFeed; readonly clock: Clock },
  raw: ServerResponse,
  wish: StreamWish,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const { feed, clock } = parts;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  raw.once('close', end);
  raw.on('error', end);
  feed.signal.addEventListener('abort', end, { once: true });
  const watch = feed.watch(wish.projectId);
  const { signal } = ended;
  raw.writeHead(200, {
    ...headers,
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
  try {
    // How long to wait before coming back, and where we are: a reader of some types may see none.
    await send(clock, raw, `retry: 1000\n${position(wish.after)}`, signal);
    let { after } = wish;
    while (!signal.aborted) {
      const { events, next, newest } = await readEvents(feed, { ...wish, after, limit: PAGE_MAX });
      after = next;
      if (events.length > 0) await send(clock, raw, events.map(frame).join(''), signal);
      if (after < newest) continue;
      const isWoken = await watch.next(HEARTBEAT_MS, signal);
      if (!isWoken && !signal.aborted) await send(clock, raw, position(after), signal);
    }
  } catch {
    // Too slow, gone, or behind what is kept: the next call says which.
  } finally {
    watch.close();
    feed.signal.removeEventListener('abort', end);
    raw.end();
    raw.destroy();
  }
}

/** An event without data is not given to the reader, but its id is remembered. */
function position(after: number): string {
  return `: still here\nid: ${after}\n\n`;
}

function frame(event: EventRecord): string {
  const shown = showEvent(event);
  return `id: ${shown.number}\nevent: ${shown.type}\ndata: ${JSON.stringify(shown)}\n\n`;
}

/** Writes, and waits until the reader has taken it. @throws when that takes too long */
async function send(
  clock: Clock,
  raw: ServerResponse,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  if (raw.write(text) || signal.aborted) return;
  const drained = Promise.withResolvers<void>();
  const give = (): void => drained.resolve();
  const refuse = (): void => drained.reject(new Error('the reader is too slow'));
  const timer: Timer = clock.after(SLOW_AFTER_MS, refuse);
  raw.once('drain', give);
  signal.addEventListener('abort', give, { once: true });
  try {
    await drained.promise;
  } finally {
    timer.cancel();
    raw.off('drain', give);
    signal.removeEventListener('abort', give);
  }
}
