import { systemClock, waitFor } from '@factory/runtime';
import { records } from './raw-http.ts';

const TIMEOUT_MS = 20_000;

/** The event of a type. */
export type EventOf<E, T> = Extract<E, { type: T }>;

/** What comes on one stream of RecordIO: each event is given once. */
export class EventLog<E extends { readonly type: string }> {
  readonly events: E[] = [];
  readonly #given = new Set<E>();
  #isEnded = false;

  /** Reads to the end of the stream, or until it breaks. */
  async read(stream: AsyncIterable<Uint8Array>, decode: (record: Uint8Array) => E): Promise<void> {
    try {
      for await (const record of records(stream)) this.events.push(decode(record));
    } catch {
      // A stream that is cut has ended, too.
    } finally {
      this.#isEnded = true;
    }
  }

  /** The next event of a type, that fits, and that was not given before. */
  async next<T extends E['type']>(
    type: T,
    fits: (event: EventOf<E, T>) => boolean = () => true,
    timeoutMs: number = TIMEOUT_MS,
  ): Promise<EventOf<E, T>> {
    const isType = (event: E): event is EventOf<E, T> => event.type === type;
    const isIt = (event: E): event is EventOf<E, T> =>
      !this.#given.has(event) && isType(event) && fits(event);
    try {
      const found = await waitFor(systemClock, type, timeoutMs, () => this.events.find(isIt));
      this.#given.add(found);
      return found;
    } catch (error) {
      const texts = this.events.map((event) => JSON.stringify(event).slice(0, 200));
      throw new Error(`no ${type} came; there were\n${texts.join('\n')}`, { cause: error });
    }
  }

  /** Resolves when the stream has ended. */
  async ended(): Promise<void> {
    await waitFor(systemClock, 'the end of the stream', TIMEOUT_MS, () =>
      this.#isEnded ? true : undefined,
    );
  }
}
