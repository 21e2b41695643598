import { type Clock, DeadlineExceededError, type Timer } from '../clock.ts';
import { type PendingTimer, TimerQueue } from './timer-queue.ts';

/** 2026-01-01T00:00:00Z: a fixed start, so that records of two runs are equal. */
const DEFAULT_START_MS = Date.UTC(2026, 0, 1);

/**
 * Turns of the event loop without any activity after which all work counts as done. A request
 * through fastify's injection needs one or two turns between two signs of life.
 */
const QUIET_TURNS = 5;

/** More callbacks than this at one instant are a loop that never lets time pass. */
const MAX_CALLBACKS_PER_INSTANT = 1_000_000;

/** Bound on real time for outside work, see {@link VirtualClock.holdFor}. */
const MAX_HOLD_MS = 60_000;

/**
 * A clock whose time passes only while `run` or `runUntil` is at work, as fast as the machine can.
 * Between two timers all promises, ticks and immediates come to rest: one seed, one history.
 */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new TimerQueue();
  #elapsedMs = 0;
  #sequence = 0;
  #activity = 0;
  #held = 0;
  #running = false;

  constructor(options: { readonly startMs?: number } = {}) {
    this.#startMs = options.startMs ?? DEFAULT_START_MS;
  }

  nowMs(): number {
    return this.#startMs + Math.floor(this.#elapsedMs);
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    if (Number.isNaN(delayMs)) throw new RangeError('a delay must be a number of milliseconds');
    this.noteActivity();
    this.#sequence += 1;
    const timer: PendingTimer = {
      dueMs: this.#elapsedMs + Math.max(0, delayMs),
      sequence: this.#sequence,
      callback,
      cancelled: false,
    };
    this.#timers.add(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  /** Tells {@link settle} that something happened that is no timer (a message was delivered). */
  noteActivity(): void {
    this.#activity += 1;
  }

  /** Keeps virtual time from passing until `work`, which takes real time, has settled. */
  async holdFor<T>(work: Promise<T>): Promise<T> {
    this.#held += 1;
    try {
      return await work;
    } finally {
      this.#held -= 1;
      this.noteActivity();
    }
  }

  /** Lets `durationMs` pass. Throws what a timer's callback throws. */
  async run(durationMs: number): Promise<void> {
    const endMs = this.#elapsedMs + durationMs;
    await this.#exclusively(async () => {
      await this.settle();
      while (await this.#step(endMs));
      this.#elapsedMs = endMs;
    });
  }

  /**
   * Lets time pass until `condition` holds; it is asked after every timer.
   * @throws DeadlineExceededError when it does not hold after `maxMs`.
   */
  async runUntil(
    condition: () => boolean | Promise<boolean>,
    maxMs: number,
    what = 'the condition',
  ): Promise<void> {
    const endMs = this.#elapsedMs + maxMs;
    await this.#exclusively(async () => {
      await this.settle();
      while (!(await condition())) {
        if (await this.#step(endMs)) continue;
        this.#elapsedMs = endMs;
        if (await condition()) return;
        throw new DeadlineExceededError(what, maxMs);
      }
    });
  }

  /** Lets everything that needs no time to pass come to rest. */
  async settle(): Promise<void> {
    const giveUpMs = performance.now() + MAX_HOLD_MS;
    let quietTurns = 0;
    while (quietTurns < QUIET_TURNS || this.#held > 0) {
      const before = this.#activity;
      await new Promise((resolve) => setImmediate(resolve));
      quietTurns = this.#activity === before ? quietTurns + 1 : 0;
      if (this.#held > 0 && performance.now() > giveUpMs) {
        throw new DeadlineExceededError('outside work that holds the virtual clock', MAX_HOLD_MS);
      }
    }
  }

  /** Runs the next timer that is due by `endMs`; false when there is none. */
  async #step(endMs: number): Promise<boolean> {
    const next = this.#timers.peek();
    if (next === undefined || next.dueMs > endMs) return false;
    this.#timers.take();
    this.#countCallback(next.dueMs);
    this.#elapsedMs = next.dueMs;
    next.callback();
    await this.settle();
    return true;
  }

  #callbacksAtInstant = 0;
  #countCallback(dueMs: number): void {
    this.#callbacksAtInstant = dueMs > this.#elapsedMs ? 0 : this.#callbacksAtInstant + 1;
    if (this.#callbacksAtInstant > MAX_CALLBACKS_PER_INSTANT) {
      throw new Error(`virtual time is stuck at ${dueMs} ms: timers without delay make new ones`);
    }
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    if (this.#running) throw new Error('the virtual clock is running already');
    this.#running = true;
    try {
      await work();
    } finally {
      this.#running = false;
    }
  }
}
