import type { VmId } from '@factory/contracts';
import {
  type ByteChannel,
  type ChannelEnd,
  ChunkQueue,
  type Logger,
  NORMAL_END,
} from '@factory/runtime';

/** One who sees a serial console. */
interface Viewer {
  show(bytes: Uint8Array): void;
  end(why: ChannelEnd): void;
}

interface Shared {
  readonly upstream: Promise<ByteChannel>;
  readonly viewers: Set<Viewer>;
}

/**
 * Lets several see and use one serial console: all are shown what the guest writes, and what any of
 * them types reaches it. Nobody holds up the guest or the others: who reads too slowly misses some
 * of what was written, and is told so. The console is open for as long as somebody looks.
 */
export class SerialHub {
  readonly #open: (vmId: VmId) => Promise<ByteChannel>;
  readonly #logger: Logger;
  readonly #shared = new Map<VmId, Shared>();

  constructor(open: (vmId: VmId) => Promise<ByteChannel>, logger: Logger) {
    this.#open = open;
    this.#logger = logger;
  }

  /** Joins in. @throws what opening throws. */
  async attach(vmId: VmId): Promise<ByteChannel> {
    const shared = this.#shared.get(vmId) ?? this.#begin(vmId);
    const { channel, viewer } = createViewer({
      type: async (bytes) => (await shared.upstream).send(bytes),
      leave: () => this.#leave(vmId, shared, viewer),
    });
    shared.viewers.add(viewer);
    try {
      await shared.upstream;
    } catch (error) {
      this.#leave(vmId, shared, viewer);
      throw error;
    }
    return channel;
  }

  #begin(vmId: VmId): Shared {
    const shared: Shared = { upstream: this.#open(vmId), viewers: new Set() };
    this.#shared.set(vmId, shared);
    this.#follow(vmId, shared).catch((error: unknown) => {
      this.#logger.info({ err: error, vmId }, 'the serial console was not opened');
    });
    return shared;
  }

  async #follow(vmId: VmId, shared: Shared): Promise<void> {
    let why: ChannelEnd = NORMAL_END;
    try {
      const upstream = await shared.upstream;
      for await (const bytes of upstream.received) {
        for (const viewer of shared.viewers) viewer.show(bytes);
      }
      why = await upstream.ended;
    } finally {
      if (this.#shared.get(vmId) === shared) this.#shared.delete(vmId);
      for (const viewer of [...shared.viewers]) viewer.end(why);
    }
  }

  #leave(vmId: VmId, shared: Shared, viewer: Viewer): void {
    shared.viewers.delete(viewer);
    if (shared.viewers.size > 0 || this.#shared.get(vmId) !== shared) return;
    this.#shared.delete(vmId);
    shared.upstream.then(
      (upstream) => upstream.close(NORMAL_END),
      () => undefined,
    );
  }
}

/** A viewer, and its end of the channel. */
function createViewer(hooks: {
  readonly type: (bytes: Uint8Array) => Promise<void>;
  readonly leave: () => void;
}): { readonly channel: ByteChannel; readonly viewer: Viewer } {
  const ended = Promise.withResolvers<ChannelEnd>();
  let isOver = false;
  let missedBytes = 0;
  const queue = new ChunkQueue(() => {
    if (missedBytes > 0) queue.push(missedNote(missedBytes));
    missedBytes = 0;
    isFull = false;
  });
  let isFull = false;
  const end = (why: ChannelEnd): void => {
    if (isOver) return;
    isOver = true;
    queue.end();
    ended.resolve(why);
    hooks.leave();
  };
  return {
    viewer: {
      show(bytes) {
        if (isFull) missedBytes += bytes.length;
        else isFull = !queue.push(bytes);
      },
      end,
    },
    channel: {
      received: queue,
      ended: ended.promise,
      send: async (bytes) => {
        if (!isOver) await hooks.type(bytes);
      },
      close: end,
    },
  };
}

function missedNote(bytes: number): Uint8Array {
  return Buffer.from(`\r\n[${bytes} bytes came too fast and are left out; the log has them]\r\n`);
}
