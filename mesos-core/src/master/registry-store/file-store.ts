import { link, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, type Logger, readTextIfExists, writeFileAtomic } from '@factory/runtime';
import { BadRegistryError, type Registry, type RegistryStore } from '../registry.ts';
import { decodeRegistryText, encodeRegistryText } from './registry-text.ts';

const FILE = 'registry.json';
const PREVIOUS = 'registry.json.previous';

/**
 * More ids than can have been given out in one write that got lost: a registry that was read from the
 * copy before goes on behind them, so that no id is given out twice.
 */
const NUMBERS_SKIPPED = 10_000;

/**
 * The registry in a file of the master's work directory: with a checksum, synced, replaced
 * atomically. The one before is kept, for disks that lose what they have synced.
 */
export function createFileRegistryStore(workDirectory: string, logger: Logger): RegistryStore {
  const file = join(workDirectory, FILE);
  const previous = join(workDirectory, PREVIOUS);
  return {
    load: async () => {
      await removeLeftovers(workDirectory);
      const current = await read(file);
      if (current !== 'missing' && current !== 'damaged') return current;
      const before = await read(previous);
      if (current === 'missing' && before === 'missing') return undefined;
      if (before === 'missing' || before === 'damaged') throw new BadRegistryError();
      logger.error({ file, previous }, `the registry is ${current}; taking the copy before it`);
      return withSkippedNumbers(before);
    },
    save: async (registry) => {
      await keepAs(file, previous);
      await writeFileAtomic(file, encodeRegistryText(registry));
    },
  };
}

async function read(file: string): Promise<Registry | 'missing' | 'damaged'> {
  const text = await readTextIfExists(file);
  if (text === undefined) return 'missing';
  try {
    return decodeRegistryText(text);
  } catch (error) {
    if (error instanceof BadRegistryError) return 'damaged';
    throw error;
  }
}

/** Gives the file's content a second name; at no moment is either name without a whole content. */
async function keepAs(file: string, previous: string): Promise<void> {
  // A damaged file must not take the place of the copy that saved the day.
  if ((await read(file)) === 'damaged') return;
  const temporary = `${previous}.tmp`;
  await rm(temporary, { force: true });
  try {
    await link(file, temporary);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return;
    throw error;
  }
  await rename(temporary, previous);
}

/** Of writes that a crash cut short. */
async function removeLeftovers(directory: string): Promise<void> {
  const names = await readdir(directory);
  const leftovers = names.filter((name) => name.includes(FILE) && name.endsWith('.tmp'));
  await Promise.all(leftovers.map((name) => rm(join(directory, name), { force: true })));
}

function withSkippedNumbers(registry: Registry): Registry {
  return {
    ...registry,
    nextAgentNumber: registry.nextAgentNumber + NUMBERS_SKIPPED,
    nextFrameworkNumber: registry.nextFrameworkNumber + NUMBERS_SKIPPED,
  };
}
