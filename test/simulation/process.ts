import type { Clock, HttpTransport, Timer } from '@factory/runtime';
import type { SimulatedNetwork } from '@factory/runtime/simulated';

/**
 * One simulated process: the world as it sees it. SIGKILL takes the world away: its timers never
 * fire, its connections break, and what it had asked of a port or a disk is never answered.
 */
export class SimulatedProcess {
  readonly clock: Clock;
  readonly transport: HttpTransport;
  #isAlive = true;

  /** `name`: as whom it calls others; its own origin when it also serves. */
  constructor(clock: Clock, network: SimulatedNetwork, name: string) {
    this.transport = network.transport(name);
    this.clock = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs, callback): Timer =>
        this.#isAlive
          ? clock.after(delayMs, () => this.#isAlive && callback())
          : { cancel: () => undefined },
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Stops it between two instructions. */
  kill(): void {
    this.#isAlive = false;
    void this.transport.close();
  }

  /** `port` as long as the process lives; afterwards its promises never settle. */
  guard<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          if (!this.#isAlive) return new Promise(() => undefined);
          const result: unknown = Reflect.apply(member, target, args);
          return result instanceof Promise ? this.#whileAlive(result) : result;
        };
      },
    });
  }

  #whileAlive(work: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.#isAlive && resolve(value),
        (error: unknown) => this.#isAlive && reject(error),
      );
    });
  }
}
