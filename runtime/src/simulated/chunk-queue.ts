/** Chunks on their way to one reader: an async iterable that is written from outside. */
export class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: Uint8Array[] = [];
  readonly #onTaken: (chunk: Uint8Array) => void;
  readonly #onAbandoned: () => void;
  #end: { readonly error?: Error } | undefined;
  #wake: (() => void) | undefined;

  /**
   * `onTaken` is called for every chunk that the reader takes, `onAbandoned` when it stops reading
   * before the end.
   */
  constructor(onTaken: (chunk: Uint8Array) => void, onAbandoned: () => void) {
    this.#onTaken = onTaken;
    this.#onAbandoned = onAbandoned;
  }

  push(chunk: Uint8Array): void {
    if (this.#end !== undefined) return;
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  /** Ends the reading after the chunks so far, with `error` thrown if there is one. */
  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  /** Ends the reading at once. */
  discard(): void {
    this.#chunks.length = 0;
    this.#end = {};
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk !== undefined) {
          this.#onTaken(chunk);
          yield chunk;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.#onAbandoned();
    }
  }
}
