import type { ImagesAnswer } from '@factory/contracts';
import { createLimiter, type Logger } from '@factory/runtime';
import type { ImageShelf } from './shelf.ts';

type Upload = NonNullable<ImagesAnswer['uploads']>[number];

/** Bytes of a part: the line is shared with everything else. */
const PART_BYTES = 1024 * 1024;
const UPLOADS_MAX = 1;

interface UploaderParts {
  readonly logger: Logger;
  readonly shelf: ImageShelf;
  /** Gives how much has arrived then. */
  readonly sendPart: (imageId: string, offset: number, bytes: Uint8Array) => Promise<number>;
}

/**
 * Sends versions up that were made here and other clusters are to have. Where it goes on from after
 * whatever broke it off, the api-server says with the next round.
 */
export class ImageUploader {
  readonly #parts: UploaderParts;
  readonly #under = new Set<string>();
  readonly #limit = createLimiter(UPLOADS_MAX);
  #isClosed = false;

  constructor(parts: UploaderParts) {
    this.#parts = parts;
  }

  /** Begins what is wanted and not under way. */
  want(uploads: readonly Upload[]): void {
    for (const upload of uploads) {
      if (this.#under.has(upload.id)) continue;
      this.#under.add(upload.id);
      void this.#limit(() => this.#send(upload)).finally(() => this.#under.delete(upload.id));
    }
  }

  get isBusy(): boolean {
    return this.#under.size > 0;
  }

  close(): void {
    this.#isClosed = true;
  }

  async #send({ id, name, version, offset }: Upload): Promise<void> {
    const { shelf, sendPart, logger } = this.#parts;
    try {
      let arrived = offset;
      while (!this.#isClosed) {
        const bytes = await shelf.read(name, version, arrived, PART_BYTES);
        if (bytes.length === 0) break;
        arrived = await sendPart(id, arrived, bytes);
      }
    } catch (error) {
      logger.warn({ err: error, image: name }, 'an image was not sent up; the next round goes on');
    }
  }
}
