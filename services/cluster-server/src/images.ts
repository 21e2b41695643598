import { readdir } from 'node:fs/promises';

/**
 * Names of the images in a folder: every `<name>.json` manifest that has its `<name>.qcow2`.
 * A folder that does not exist yet has none.
 */
export async function readImageNames(directory: string): Promise<readonly string[]> {
  const files = new Set(await readdir(directory).catch(ignoreMissing));
  return [...files]
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .filter((name) => files.has(`${name}.qcow2`))
    .sort();
}

function ignoreMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
