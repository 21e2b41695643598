import type { HostImagesMessage, ImageOnHost, ImageRef } from '@factory/contracts';
import type { Clock, Logger, Timer } from '@factory/runtime';
import type { ImageCache } from './image-cache.ts';
import type { PullTickets } from './pull-tickets.ts';

/** How often it is looked whether something has changed. */
const LOOK_MS = 1_000;
/** All is said again this often: the scheduler forgets, and messages are lost. */
const REPEAT_MS = 30_000;

interface Parts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly cache: Pick<ImageCache, 'presence' | 'stage'>;
  readonly tickets: PullTickets;
  readonly send: (message: HostImagesMessage) => Promise<void>;
}

/** Tells the scheduler which images are on this host, and does what it says of them. */
export class HostImages {
  readonly #parts: Parts;
  #timer: Timer | undefined;
  #told = '';
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.tickets.onWait(() => this.#tellIfNew());
    this.#look();
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Something is on its way here. */
  get isBusy(): boolean {
    return this.#parts.cache.presence().some(({ percent }) => percent < 100);
  }

  /** Everything, now. */
  tell(): void {
    const images = this.#images();
    const { clock, logger, send } = this.#parts;
    this.#told = JSON.stringify(images);
    this.#toldAtMs = clock.monotonicMs();
    send({ type: 'images', images: [...images] }).catch((error: unknown) => {
      this.#told = '';
      logger.debug({ err: error }, 'the images here were not told; again in a moment');
    });
  }

  /** Brings versions here. One that fails is asked for again, by whoever wants it. */
  stage(images: readonly ImageRef[]): void {
    const { cache, logger } = this.#parts;
    for (const ref of images) {
      const isUnderWay = cache.presence().some(({ version }) => version === ref.version);
      if (isUnderWay) continue;
      cache.stage(ref).catch((error: unknown) => {
        logger.warn({ err: error, image: ref.name }, 'an image was not staged');
      });
    }
    this.#tellIfNew();
  }

  grant(versions: readonly string[]): void {
    this.#parts.tickets.grant(versions);
  }

  #look(): void {
    this.#tellIfNew();
    this.#timer = this.#parts.clock.after(LOOK_MS, () => this.#look());
  }

  #tellIfNew(): void {
    const isOld = this.#parts.clock.monotonicMs() - this.#toldAtMs >= REPEAT_MS;
    if (isOld || JSON.stringify(this.#images()) !== this.#told) this.tell();
  }

  #images(): readonly ImageOnHost[] {
    const waiting = this.#parts.tickets.waiting();
    return this.#parts.cache
      .presence()
      .map((each) => (waiting.has(each.version) ? { ...each, waits: true } : each));
  }
}
