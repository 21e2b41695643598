import { type Clock, DeadlineExceededError } from '@factory/runtime';

/** The work under way is not wanted any more; no failure. */
export class Interrupted extends Error {
  readonly code = 'FACTORY_ERR_INTERRUPTED';
  constructor(why: string) {
    super(why);
    this.name = 'Interrupted';
  }
}

/**
 * Runs one piece of work at a time for a VM. At its deadline, or when it is interrupted, its caller
 * hears so at once; but the runner stays busy until the work has settled. So what hangs in a call
 * can never act beside what comes after it, such as its own undoing.
 */
export class Runner {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #current: { readonly controller: AbortController } | undefined;

  /** `onIdle` hears that work has settled whose caller had been told of its end before. */
  constructor(clock: Clock, onIdle: () => void) {
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /** Work is under way, or hangs after its deadline. */
  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  /** Aborts the work under way. */
  interrupt(why: string): void {
    this.#current?.controller.abort(new Interrupted(why));
  }

  /**
   * The result of `work`, whose signal aborts after `timeoutMs` or when it is interrupted.
   * @throws what `onDeadline` gives at the deadline; Interrupted.
   */
  async run<T>(
    timeoutMs: number,
    work: (signal: AbortSignal) => Promise<T>,
    onDeadline: () => Error = () => new DeadlineExceededError('the work', timeoutMs),
  ): Promise<T> {
    if (this.#current !== undefined) throw new Error('work of this VM is under way');
    const controller = new AbortController();
    const { signal } = controller;
    this.#current = { controller };
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const timer = this.#clock.after(timeoutMs, () => controller.abort(onDeadline()));
    let isLeft = false;
    const settled = (): void => {
      this.#current = undefined;
      if (isLeft) this.#onIdle();
    };
    const working = work(signal);
    working.then(settled, settled);
    try {
      return await Promise.race([working, aborted.promise]);
    } finally {
      isLeft = true;
      timer.cancel();
      signal.removeEventListener('abort', abort);
      aborted.promise.catch(() => undefined);
    }
  }
}
