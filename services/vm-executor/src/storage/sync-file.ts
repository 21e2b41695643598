import { open } from 'node:fs/promises';

/** What was written to the file, by whomever, is on the disk when this resolves. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
