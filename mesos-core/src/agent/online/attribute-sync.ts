import { type Clock, createBackoff, type Logger, type Random, sleep } from '@factory/runtime';
import { type Attribute, ParseError, parseValue } from '../../protocol/index.ts';
import type { EtcdGateway, EtcdSnapshot } from './etcd-gateway.ts';

/** What {@link AttributeSync} needs. */
export interface AttributeSyncOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly gateway: EtcdGateway;
  /** Takes what etcd says now; called only when that is something new. */
  readonly onAttributes: (attributes: readonly Attribute[]) => Promise<void>;
}

/** A watch may be dead without anybody noticing, so etcd is read anew this often. */
const READ_AGAIN_MS = 60_000;
const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 30_000;

/**
 * Keeps attributes equal to what stands in etcd: `<prefix>/rack` = `r1` is the attribute `rack:r1`.
 * While etcd is away, the last that it said stays.
 */
export class AttributeSync {
  readonly #options: AttributeSyncOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #taken: string | undefined;

  constructor(options: AttributeSyncOptions) {
    this.#options = options;
  }

  /** @param known what was taken before, in an earlier life. */
  start(known: readonly Attribute[]): void {
    this.#taken = JSON.stringify(known);
    this.#running ??= this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the agent ends'));
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger } = this.#options;
    const backoff = createBackoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
    while (!signal.aborted) {
      try {
        const { gateway } = this.#options;
        const snapshot = await gateway.read();
        await this.#take(snapshot);
        backoff.reset();
        await this.#waitForChange(snapshot.revision, signal);
      } catch (error) {
        if (signal.aborted) return;
        const retryInMs = Math.round(backoff.nextMs());
        logger.warn(
          { err: error, retryInMs },
          'attributes can not be read from etcd; trying again',
        );
        await sleep(clock, retryInMs, signal).catch(() => undefined);
      }
    }
  }

  async #waitForChange(revision: string, signal: AbortSignal): Promise<void> {
    const { clock, gateway } = this.#options;
    const controller = new AbortController();
    let isOver = false;
    const timer = clock.after(READ_AGAIN_MS, () => {
      isOver = true;
      controller.abort(new Error('time to read again'));
    });
    try {
      await gateway.waitForChange(revision, AbortSignal.any([signal, controller.signal]));
    } catch (error) {
      if (!isOver) throw error;
    } finally {
      timer.cancel();
      controller.abort(new Error('the watch is over'));
    }
  }

  async #take(snapshot: EtcdSnapshot): Promise<void> {
    const { logger, onAttributes } = this.#options;
    const attributes = attributesOf(snapshot.values, (name, problem) =>
      logger.warn({ name, problem }, 'ignoring a value in etcd that is no attribute'),
    );
    const text = JSON.stringify(attributes);
    if (text === this.#taken) return;
    await onAttributes(attributes);
    this.#taken = text;
  }
}

/** The attributes that keys and values stand for, by name; what is none is left out. */
export function attributesOf(
  values: ReadonlyMap<string, string>,
  onProblem: (name: string, problem: string) => void,
): readonly Attribute[] {
  const names = [...values.keys()].toSorted();
  return names.flatMap((name) => {
    try {
      if (name === '' || /[/:;\s]/.test(name)) throw new ParseError('its key is no name');
      return [{ name, ...parseValue(values.get(name) ?? '') }];
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      onProblem(name, error.message);
      return [];
    }
  });
}
