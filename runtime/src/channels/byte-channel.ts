/** Why a channel ended: a close code of WebSocket (RFC 6455, 7.4) and words for a person. */
export interface ChannelEnd {
  readonly code: number;
  /** At most 123 bytes go over a WebSocket; longer ones are cut there. */
  readonly reason: string;
}

/** Bytes both ways, with room that is waited for, and an end that says why. */
export interface ByteChannel {
  /** Chunks as they come, read once by one reader; ends with the channel. */
  readonly received: AsyncIterable<Uint8Array>;
  /** Resolves when there is room for more; does nothing after the end. Never rejects. */
  send(bytes: Uint8Array): Promise<void>;
  /** Ends it; the first end counts. What was sent before still goes out. */
  close(end: ChannelEnd): void;
  /** Resolves when it has ended, by whichever side. Never rejects. */
  readonly ended: Promise<ChannelEnd>;
}

/** Everybody had what they came for. */
export const NORMAL_END: ChannelEnd = { code: 1000, reason: '' };

/** Unread bytes from which on a channel asks its sender to wait. */
export const CHANNEL_ROOM_BYTES = 256 * 1024;

/** Chunks on their way to one reader, within bounds. */
export class ChunkQueue implements AsyncIterable<Uint8Array> {
  readonly #roomBytes: number;
  readonly #onRoom: () => void;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isFull = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  /** `onRoom` is called when there is room again after `push` said that there is none. */
  constructor(onRoom: () => void = () => undefined, roomBytes = CHANNEL_ROOM_BYTES) {
    this.#onRoom = onRoom;
    this.#roomBytes = roomBytes;
  }

  /** Takes a chunk; gives whether there is room for more. After the end it is dropped. */
  push(chunk: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    this.#wake();
    this.#isFull = this.#bytes >= this.#roomBytes;
    return !this.#isFull;
  }

  /** No more will come; what is there can still be read. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#took(chunk);
        yield chunk;
      } else if (this.#isOver) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #took(chunk: Uint8Array): void {
    this.#bytes -= chunk.length;
    if (!this.#isFull || this.#bytes >= this.#roomBytes / 2) return;
    this.#isFull = false;
    this.#onRoom();
  }
}

/** Both ends of a channel in this process. */
export function channelPair(roomBytes?: number): readonly [ByteChannel, ByteChannel] {
  const ended = Promise.withResolvers<ChannelEnd>();
  const oneWay = () => {
    let room = Promise.withResolvers<void>();
    const queue = new ChunkQueue(() => room.resolve(), roomBytes);
    const send = async (bytes: Uint8Array): Promise<void> => {
      if (queue.push(bytes)) return;
      room = Promise.withResolvers<void>();
      await Promise.race([room.promise, ended.promise]);
    };
    return { queue, send };
  };
  const [there, back] = [oneWay(), oneWay()];
  const close = (end: ChannelEnd): void => {
    there.queue.end();
    back.queue.end();
    ended.resolve(end);
  };
  const common = { close, ended: ended.promise };
  return [
    { ...common, received: back.queue, send: there.send },
    { ...common, received: there.queue, send: back.send },
  ];
}
