import type { Logger, Random } from '@factory/runtime';
import type { Bell } from '../bell.ts';
import { cardsOf } from '../network/cards.ts';
import type { Carrier, CarrierContext } from './carrier.ts';
import { watchGuest } from './guest-watch.ts';
import type { Ledger } from './ledger.ts';
import type { Change } from './observe.ts';
import { watchReadiness } from './readiness.ts';
import { endReboot } from './reboot.ts';

/** Writing down how things stand. */
const REST_TIMEOUT_MS = 30_000;

/** What a VM at rest is seen to by. */
interface RestContext extends Pick<CarrierContext, 'clock' | 'network' | 'storage' | 'hypervisor'> {
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Sees to a VM with nothing to be done: how it stands is written down, and while it runs, its cards
 * are kept and its readiness watched for.
 */
export class Resting {
  readonly #context: RestContext;
  readonly #ledger: Ledger;
  readonly #carrier: Carrier;
  readonly #bell: Bell;
  #isPlugged = false;
  #stopWatching: (() => void) | undefined;
  #stopAsking: (() => void) | undefined;

  constructor(context: RestContext, ledger: Ledger, carrier: Carrier, bell: Bell) {
    this.#context = context;
    this.#ledger = ledger;
    this.#carrier = carrier;
    this.#bell = bell;
  }

  /** The VM has its cards: they need not be looked after. */
  isPlugged(): void {
    this.#isPlugged = true;
  }

  /** Takes in how the VM stands. @throws what writing it down throws. */
  async rest(change: Change): Promise<void> {
    const { record } = this.#ledger;
    // What makes the disk precious is on the disk itself before anybody hears of it.
    if (change.isMade === true && !record.isMade) {
      this.#ledger.replace({ ...record, isMade: true });
      await this.save(true);
    }
    this.#ledger.observe(change);
    if (this.#ledger.record.state === 'failed') this.#failReboot();
    if (this.#ledger.record.state !== 'running') this.watchNoMore();
    // The first making can be told from what is there; a wish or a result that was carried out not.
    const { appliedGeneration, operations } = this.#ledger.record;
    const isDurable = appliedGeneration > 1 || operations.length > 0;
    await this.save(isDurable, async (signal) => {
      if (this.#ledger.record.state !== 'running') return;
      this.#watchReadiness();
      this.#watchGuest();
      await this.#keepCards(signal);
    });
  }

  /** Writes the record, and does what has to follow. @throws VmFailure at the deadline. */
  save(durable: boolean, next: (signal: AbortSignal) => Promise<void> = async () => undefined) {
    return this.#carrier.within(
      () => 'its record to be written',
      REST_TIMEOUT_MS,
      async (signal) => {
        await this.#ledger.save(durable, signal);
        await next(signal);
      },
    );
  }

  /** It does not run any more, or is about to end. */
  watchNoMore(): void {
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#stopAsking?.();
    this.#stopAsking = undefined;
  }

  #failReboot(): void {
    const { record } = this.#ledger;
    this.#ledger.replace(endReboot(record, record.message ?? 'The machine failed.'));
  }

  /** An adopted guest has its cards already; but what they are in may have ended since. */
  async #keepCards(signal: AbortSignal): Promise<void> {
    if (this.#isPlugged) return;
    const { network, logger } = this.#context;
    try {
      for (const { subnet, nic } of cardsOf(this.#ledger.record)) {
        await network.plug(subnet, nic, signal);
      }
      this.#isPlugged = true;
    } catch (error) {
      logger.warn({ err: error }, 'the network of a running guest may be missing');
    }
  }

  /** In the background: an image that can't be looked up shall hold up nothing else. */
  #watchReadiness(): void {
    const { record } = this.#ledger;
    if (record.guestReady || this.#stopWatching !== undefined) return;
    const { clock, random, storage, hypervisor, logger } = this.#context;
    this.#stopWatching = watchReadiness({
      ...{ clock, random, storage, hypervisor, record, logger },
      onReady: () => {
        this.#stopWatching?.();
        this.#stopWatching = undefined;
        this.#ledger.observe({ guestReady: true, stage: 'ready' });
        this.#bell.ring();
      },
    });
  }

  /** In the background, too, for as long as it runs. */
  #watchGuest(): void {
    if (this.#stopAsking !== undefined) return;
    const { clock, random, hypervisor, logger } = this.#context;
    const { vmId } = this.#ledger.record;
    this.#stopAsking = watchGuest({
      ...{ clock, random, hypervisor, logger, vmId },
      onNews: (info) => {
        const isSame = JSON.stringify(this.#ledger.record.guest) === JSON.stringify(info);
        if (!isSame) this.#ledger.observe({ guest: info });
      },
    });
  }
}
