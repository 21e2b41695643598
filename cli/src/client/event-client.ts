import { type Event, EventPageSchema, EventSchema } from '@factory/contracts';
import { type Clock, HttpTransportError, RemoteProblemError, sleep } from '@factory/runtime';
import { Compile } from 'typebox/compile';
import type { FactoryClient } from './factory-client.ts';

const eventPage = Compile(EventPageSchema);
const event = Compile(EventSchema);
const PAGE_LIMIT = 1_000;
const AGAIN_AFTER_MS = 1_000;

export interface EventWish {
  /** The number of the last one that is known. */
  readonly after?: number;
  readonly types?: string;
}

/** The part of the REST API that is about events. */
export class EventClient {
  readonly #client: Pick<FactoryClient, 'call' | 'stream'>;
  readonly #clock: Clock;

  constructor(client: Pick<FactoryClient, 'call' | 'stream'>, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** All that are kept and wished for, in order. */
  async *list({ after, types }: EventWish): AsyncGenerator<Event> {
    for (let from = after; ; ) {
      const path = `/v1/events${query({ after: from, types, limit: PAGE_LIMIT })}`;
      const page = await this.#client.call('GET', path, (value) => eventPage.Parse(value));
      yield* page.items;
      if (page.next >= page.newest) return;
      from = page.next;
    }
  }

  /** What happens from now on, or after one; goes on where it was when the connection breaks. */
  async *follow({ after, types }: EventWish): AsyncGenerator<Event> {
    let last = after;
    for (;;) {
      try {
        const at: Record<string, string> =
          last === undefined ? {} : { 'last-event-id': String(last) };
        const stream = await this.#client.stream(`/v1/events/stream${query({ types })}`, at);
        for await (const { id, data } of readBlocks(stream.body)) {
          last = id ?? last;
          if (data !== undefined) yield event.Parse(JSON.parse(data));
        }
      } catch (error) {
        const isPassing =
          error instanceof HttpTransportError ||
          (error instanceof RemoteProblemError && error.status >= 500);
        if (!isPassing) throw error;
      }
      await sleep(this.#clock, AGAIN_AFTER_MS);
    }
  }
}

/** Server-sent events, as far as ours go: one line of each field at most. */
async function* readBlocks(body: AsyncIterable<Uint8Array>) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const part of body) {
    text += decoder.decode(part, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const id = /^id: (\d+)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      yield { id: id === undefined ? undefined : Number(id), data };
    }
  }
}

function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const parts = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}
