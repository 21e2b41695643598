import type { GuestInfo, VmId } from '@factory/contracts';
import { type Clock, createBackoff, type Logger, type Random, sleep } from '@factory/runtime';
import type { Hypervisor } from '../hypervisor/port.ts';

/** A guest that answers is asked again after this; one that does not, more and more seldom. */
const ASK_AGAIN_MS = 60_000;
/** One that has just said something new is still coming up, or being changed. */
const AFTER_NEWS_MS = 5_000;
const ABSENT = { baseMs: 2_000, maxMs: 120_000 };

interface GuestWatchOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly hypervisor: Pick<Hypervisor, 'guestInfo'>;
  readonly vmId: VmId;
  /** Hears what it said, when that is not what it said before. */
  readonly onNews: (info: GuestInfo) => void;
}

/**
 * Asks a running guest now and then what it is: one short call a minute, and news only when something
 * has changed. Gives the end of asking.
 */
export function watchGuest(options: GuestWatchOptions): () => void {
  const over = new AbortController();
  follow(options, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) options.logger.error({ err: error }, 'a guest is not asked any more');
  });
  return () => over.abort();
}

async function follow(options: GuestWatchOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, onNews } = options;
  const absent = createBackoff({ ...ABSENT, random });
  let told = '';
  for (;;) {
    const info = await ask(options, signal);
    signal.throwIfAborted();
    if (info === undefined) {
      await sleep(clock, absent.nextMs(), signal);
      continue;
    }
    absent.reset();
    const isNews = JSON.stringify(info) !== told;
    told = JSON.stringify(info);
    if (isNews) onNews(info);
    // Not all guests of a host at the same moment.
    const spread = 1 - random.next() / 4;
    await sleep(clock, (isNews ? AFTER_NEWS_MS : ASK_AGAIN_MS) * spread, signal);
  }
}

/** A hypervisor that is away is like a guest that does not answer. */
async function ask(
  { hypervisor, vmId, logger }: GuestWatchOptions,
  signal: AbortSignal,
): Promise<GuestInfo | undefined> {
  try {
    return await hypervisor.guestInfo(vmId, signal);
  } catch (error) {
    logger.debug({ err: error }, 'a guest was not asked what it is');
    return undefined;
  }
}
