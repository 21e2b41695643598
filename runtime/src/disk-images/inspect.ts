import type { StorageHelper } from '../shared-storage/storage-helper.ts';
import { type DiskFormat, type ImageRefusal, INSPECTED_BYTES, inspectStart } from './inspection.ts';
import { checkQcow2 } from './qemu-check.ts';

/** A file that is not taken as an image; `refusal` and the message are for its owner. */
export class ImageRefusedError extends Error {
  readonly code = 'FACTORY_ERR_IMAGE_REFUSED';
  readonly refusal: ImageRefusal;
  constructor(refusal: ImageRefusal, message: string) {
    super(message);
    this.name = 'ImageRefusedError';
    this.refusal = refusal;
  }
}

/** What a file turned out to be. */
export interface DiskImage {
  readonly format: DiskFormat;
  /** Of the disk that a guest sees. */
  readonly virtualSizeBytes: number;
}

const LOOK = { timeoutMs: 10_000 } as const;

/**
 * What a file is by its own first bytes; `claimed` is what its owner says, needed for a raw disk,
 * which carries no mark. Quick, and enough to refuse what leads out of the file.
 * @throws ImageRefusedError; StorageHangsError, StorageError
 */
export async function inspectDiskImage(
  helper: StorageHelper,
  file: { readonly path: string; readonly sizeBytes: number },
  claimed: DiskFormat | undefined,
): Promise<DiskImage> {
  const part = { path: file.path, offset: 0, lengthMax: INSPECTED_BYTES };
  const start = Buffer.from(await helper.call('readBytes', part, LOOK), 'base64');
  const found = inspectStart(start, file.sizeBytes, claimed);
  if ('refusal' in found) throw new ImageRefusedError(found.refusal, found.message);
  return found;
}

/**
 * As `inspectDiskImage`, and then by QEMU's own check, under limits: what machines are made from.
 * @throws as above
 */
export async function checkDiskImage(
  helper: StorageHelper,
  file: { readonly path: string; readonly sizeBytes: number },
  claimed: DiskFormat | undefined,
): Promise<DiskImage> {
  const found = await inspectDiskImage(helper, file, claimed);
  const refused = found.format === 'qcow2' ? await checkQcow2(helper, file.path) : undefined;
  if (refused !== undefined) throw new ImageRefusedError(refused.refusal, refused.message);
  return found;
}
