import type { Clock, Timer } from '../clock.ts';
import type { ByteChannel, ChannelEnd } from './byte-channel.ts';

/** How long two joined channels may last, and what is said when they last longer. */
export interface JoinLimits {
  /** Without a byte in either direction. */
  readonly idleMs: number;
  readonly totalMs: number;
  readonly onIdle: ChannelEnd;
  readonly onTotal: ChannelEnd;
}

/**
 * Passes on what each of two channels receives to the other, as fast as the slower one takes it.
 * When one ends, for whatever reason, the other is ended for the same; gives that reason.
 */
export async function joinChannels(
  one: ByteChannel,
  other: ByteChannel,
  options: { readonly clock: Clock; readonly limits?: JoinLimits },
): Promise<ChannelEnd> {
  const watch = watchLimits(options, (end) => {
    one.close(end);
    other.close(end);
  });
  const pass = async (from: ByteChannel, to: ByteChannel): Promise<void> => {
    for await (const bytes of from.received) {
      watch.sawBytes();
      await to.send(bytes);
    }
    // All that came before the end has been passed on.
    to.close(await from.ended);
  };
  try {
    await Promise.all([pass(one, other), pass(other, one)]);
    return await Promise.race([one.ended, other.ended]);
  } finally {
    watch.cancel();
  }
}

/** Watches the time; a timer that fires early just looks again, so that bytes cost no timer. */
function watchLimits(
  { clock, limits }: { readonly clock: Clock; readonly limits?: JoinLimits },
  end: (why: ChannelEnd) => void,
): { sawBytes(): void; cancel(): void } {
  if (limits === undefined) return { sawBytes: () => undefined, cancel: () => undefined };
  let lastBytesMs = clock.monotonicMs();
  let idle: Timer | undefined;
  const look = (): void => {
    const leftMs = lastBytesMs + limits.idleMs - clock.monotonicMs();
    if (leftMs <= 0) end(limits.onIdle);
    else idle = clock.after(leftMs, look);
  };
  look();
  const total = clock.after(limits.totalMs, () => end(limits.onTotal));
  return {
    sawBytes: () => {
      lastBytesMs = clock.monotonicMs();
    },
    cancel: () => {
      idle?.cancel();
      total.cancel();
    },
  };
}
