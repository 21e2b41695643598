/** So many are made at once: about two milliseconds of work. */
const SLICE_EVENTS = 250;
/** So many may wait in several lots; a single lot may have any number. */
const WAITING_EVENTS_MAX = 200_000;

/** Events that are still to be made; `undefined` where work came to nothing. */
export type EventSource<Event> = Iterable<Event | undefined>;

/** Events that are made only when there is room for them: in order, and in slices. */
export class PacedEvents<Event> {
  readonly #lots: { readonly events: Iterator<Event | undefined>; readonly countMax: number }[] =
    [];
  #waiting = 0;

  get isEmpty(): boolean {
    return this.#lots.length === 0;
  }

  /**
   * Adds a lot of events behind the others.
   * @param countMax how many there are at the most.
   * @returns false when too many wait already.
   */
  add(events: EventSource<Event>, countMax: number): boolean {
    if (!this.isEmpty && this.#waiting + countMax > WAITING_EVENTS_MAX) return false;
    this.#lots.push({ events: events[Symbol.iterator](), countMax });
    this.#waiting += countMax;
    return true;
  }

  /** Makes the next slice. */
  makeSlice(send: (event: Event) => void): void {
    for (let made = 0; made < SLICE_EVENTS; made += 1) {
      const [lot] = this.#lots;
      if (lot === undefined) return;
      const next = lot.events.next();
      if (next.done) {
        this.#lots.shift();
        this.#waiting -= lot.countMax;
      } else if (next.value !== undefined) {
        send(next.value);
      }
    }
  }

  /** Forgets all that was not made yet. */
  clear(): void {
    this.#lots.length = 0;
    this.#waiting = 0;
  }
}
