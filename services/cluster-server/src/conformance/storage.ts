import { join } from 'node:path';
import type { Clock, Random, StorageHelper } from '@factory/runtime';

const PART_BYTES = 4 * 1024 * 1024;
const PARTS = 8;
const QUICK = { timeoutMs: 20_000 } as const;

/**
 * How fast the cluster's storage takes and gives 32 MiB through a helper, as images do; its file is
 * removed. What is read comes from the memory of this machine where that has it.
 */
export async function measureStorage(parts: {
  readonly clock: Clock;
  readonly random: Random;
  readonly helper: StorageHelper;
  readonly folder: string;
}): Promise<{ readonly writtenMiBps: number; readonly readMiBps: number }> {
  const { clock, random, helper, folder } = parts;
  const path = join(folder, `.conformance-${Buffer.from(random.bytes(8)).toString('hex')}`);
  const base64 = Buffer.from(random.bytes(PART_BYTES)).toString('base64');
  const offsets = Array.from({ length: PARTS }, (_, index) => index * PART_BYTES);
  const speed = async (work: (offset: number) => Promise<unknown>): Promise<number> => {
    const startMs = clock.monotonicMs();
    for (const offset of offsets) await work(offset);
    const tookMs = Math.max(1, clock.monotonicMs() - startMs);
    return Math.round((PARTS * PART_BYTES) / 1024 / 1.024 / tookMs);
  };
  try {
    const writtenMiBps = await speed((offset) =>
      helper.call('writeBytes', { path, offset, base64 }, QUICK),
    );
    const readMiBps = await speed((offset) =>
      helper.call('readBytes', { path, offset, lengthMax: PART_BYTES }, QUICK),
    );
    return { writtenMiBps, readMiBps };
  } finally {
    await helper.call('remove', { path }, QUICK);
  }
}
