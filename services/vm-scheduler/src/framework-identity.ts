import type { MesosCalls } from './mesos-calls.ts';

interface FrameworkIdentityOptions {
  readonly calls: MesosCalls;
  /** Makes the id durable. */
  readonly save: (frameworkId: string | undefined) => Promise<void>;
}

/**
 * As whom this scheduler is registered, and whether that is durable. Before it is nothing may be
 * launched: whoever comes after us must find the tasks again.
 */
export class FrameworkIdentity {
  readonly #options: FrameworkIdentityOptions;
  #kept: string | undefined;
  #keeping: Promise<void> = Promise.resolve();

  constructor(options: FrameworkIdentityOptions) {
    this.#options = options;
  }

  /** The id that an earlier run kept. */
  restore(frameworkId: string | undefined): void {
    this.#options.calls.frameworkId = frameworkId;
    this.#kept = frameworkId;
  }

  /** The master's word as whom we are registered. */
  become(frameworkId: string): void {
    this.#options.calls.frameworkId = frameworkId;
  }

  /** The id, once it is durable. */
  get durableId(): string | undefined {
    return this.isDurable ? this.#kept : undefined;
  }

  get isDurable(): boolean {
    return this.#options.calls.frameworkId === this.#kept;
  }

  /** Stores the id if it is new. One at a time, in order. */
  keep(): Promise<void> {
    const kept = this.#keeping.then(async () => {
      const { calls, save } = this.#options;
      const { frameworkId } = calls;
      if (frameworkId === this.#kept) return;
      await save(frameworkId);
      this.#kept = frameworkId;
    });
    this.#keeping = kept.catch(() => undefined);
    return kept;
  }
}
