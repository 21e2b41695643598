/** Things that end at a time, the next one first: a binary heap. */
export class ExpiryQueue<T> {
  readonly #heap: { readonly atMs: number; readonly item: T }[] = [];

  push(atMs: number, item: T): void {
    const heap = this.#heap;
    let index = heap.push({ atMs, item }) - 1;
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (this.#atMs(parent) <= atMs) break;
      this.#swap(index, parent);
      index = parent;
    }
  }

  /** Takes out all whose time has come. */
  takeUntil(nowMs: number): readonly T[] {
    const taken: T[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= nowMs; ) {
      taken.push(first.item);
      this.#removeFirst();
      first = this.#heap[0];
    }
    return taken;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let index = 0;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const smaller = this.#atMs(right) < this.#atMs(left) ? right : left;
      if (this.#atMs(smaller) >= this.#atMs(index)) return;
      this.#swap(index, smaller);
      index = smaller;
    }
  }

  #atMs(index: number): number {
    return this.#heap[index]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]];
    if (first === undefined || second === undefined) return;
    this.#heap[a] = second;
    this.#heap[b] = first;
  }
}
