import type { Clock } from '@factory/runtime';
import { explainFailure, isTransientFailure } from '../failures.ts';
import type { Carrier } from './carrier.ts';
import { HOT_PLUG, KEEP_PLUGGED } from './hot-plug.ts';
import type { Ledger } from './ledger.ts';
import { Interrupted } from './run.ts';
import { giveUpChange } from './spec-change.ts';

/** One attempt: a guest is waited for, and storage that may be slow. */
const ATTEMPT_MS = 90_000;
/** What passes by itself (a disk that another host has, storage that is away) is waited for. */
const WAIT_MAX_MS = 120_000;
/** A look at what a guest has. */
const LOOK_MS = 30_000;

/** Changes the volumes of a guest that is on; where that can't be done, it keeps what it has. */
export class HotPlugging {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  readonly #carrier: Carrier;
  #wish = { generation: 0, sinceMs: 0 };

  constructor(clock: Clock, ledger: Ledger, carrier: Carrier) {
    this.#clock = clock;
    this.#ledger = ledger;
    this.#carrier = carrier;
  }

  /** @throws what passes by itself, until it has been waited for long enough; Interrupted. */
  async change(): Promise<void> {
    const { generation } = this.#ledger.record;
    if (this.#wish.generation !== generation) {
      this.#wish = { generation, sinceMs: this.#clock.monotonicMs() };
    }
    try {
      await this.#carrier.carry(HOT_PLUG, ATTEMPT_MS);
      this.#ledger.observe({ reason: null, message: null });
    } catch (error) {
      if (error instanceof Interrupted || this.#carrier.isBusy) throw error;
      const why = explainFailure(error);
      const waitedMs = this.#clock.monotonicMs() - this.#wish.sinceMs;
      if (isTransientFailure(error) && waitedMs < WAIT_MAX_MS) {
        // Whoever waits for it learns what it waits for.
        this.#ledger.observe(why);
        throw error;
      }
      await this.keep();
      // A newer wish is tried for itself.
      if (this.#ledger.record.generation !== generation) return;
      this.#ledger.replace(giveUpChange(this.#ledger.record));
      this.#ledger.observe({ ...why, appliedGeneration: generation });
    }
  }

  /** What its guest has is what it has. @throws what the look fails by; Interrupted. */
  async keep(): Promise<void> {
    await this.#carrier.carry(KEEP_PLUGGED, LOOK_MS);
  }
}
