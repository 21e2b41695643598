/** Where the bytes of an endless answer go: a connection, or what stands for one. */
export interface EventSink {
  /** What the reader has not taken yet. */
  readonly waitingBytes: number;
  /** `length` is that of all pieces together. */
  write(pieces: readonly Uint8Array[], length: number): void;
  /** Ends the answer in good order, once everything was taken. */
  end(): void;
  /** Breaks it off. */
  destroy(): void;
}

/** What makes the bytes of an endless answer. */
export interface EventBody {
  /** Begins to write; what was to be said before is written first. Called once. */
  attach(sink: EventSink): void;
  /** The reader has taken something: there may be room for more. */
  onDrain(): void;
  /** The answer is over, in whatever way. */
  onClose(): void;
}
