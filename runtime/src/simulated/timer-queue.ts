/** A callback that waits for its time. */
export interface PendingTimer {
  readonly dueMs: number;
  /** Order of creation, which decides between equal times. */
  readonly sequence: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** A binary heap of timers, the earliest on top. Cancelled ones are dropped when they surface. */
export class TimerQueue {
  readonly #heap: PendingTimer[] = [];

  add(timer: PendingTimer): void {
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
  }

  /** The earliest timer, left in place. */
  peek(): PendingTimer | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || !first.cancelled) return first;
      this.#removeFirst();
    }
  }

  /** The earliest timer, taken out. */
  take(): PendingTimer | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(start: number): void {
    let index = start;
    for (;;) {
      let earliest = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (this.#isBefore(child, earliest)) earliest = child;
      }
      if (earliest === index) return;
      this.#swap(index, earliest);
      index = earliest;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const [a, b] = [this.#heap[left], this.#heap[right]];
    if (a === undefined || b === undefined) return false;
    return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence);
  }

  #swap(left: number, right: number): void {
    const [a, b] = [this.#heap[left], this.#heap[right]];
    if (a === undefined || b === undefined) return;
    this.#heap[left] = b;
    this.#heap[right] = a;
  }
}
