/** Lets calls of a port through, or holds them up. */
export class Gate {
  readonly #held = new Map<string, PromiseWithResolvers<void>>();
  #isShut = false;

  /** From now on calls of this method wait, with whatever they do, until they are released. */
  hold(method: string): void {
    this.#held.set(method, Promise.withResolvers<void>());
  }

  /** What waits goes on, and nothing waits any more. */
  release(method: string): void {
    this.#held.get(method)?.resolve();
    this.#held.delete(method);
  }

  /** No call comes through ever again. */
  shut(): void {
    this.#isShut = true;
  }

  /** What a call of the method has to wait for; undefined: nothing. */
  before(method: string): Promise<void> | undefined {
    return this.#isShut ? new Promise<void>(() => undefined) : this.#held.get(method)?.promise;
  }
}

/** The port behind a gate. Calls that are held up ignore their signals, as hung ones do. */
export function gated<T extends object>(port: T, gate: Gate): T {
  return new Proxy(port, {
    get(target, name, receiver): unknown {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return (...given: unknown[]): unknown => {
        const held = gate.before(name);
        const call = (): unknown => Reflect.apply(value, target, given);
        return held === undefined ? call() : held.then(call);
      };
    },
  });
}
