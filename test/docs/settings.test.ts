import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentedVariables, settingsDocument } from './settings.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/settings.md');
/** Files in which processes declare what can be set of them. */
const DECLARING = /^(services\/[^/]+|mesos-core)\/src\/.*(settings|flags)\.ts$/;

describe('docs/settings.md', () => {
  it('is what the settings of all processes say', async () => {
    const expected = settingsDocument();
    if (process.env.FACTORY_WRITE_DOCS === '1') await writeFile(PAGE, expected);
    expect(await readFile(PAGE, 'utf8')).toBe(expected);
  });

  it('leaves no variable out that a process declares', async () => {
    const documented = new Set(documentedVariables());
    const declared = await declaredVariables();
    expect(declared.length).toBeGreaterThan(20);
    expect(declared.filter((name) => !documented.has(name))).toEqual([]);
  });

  it('shows no value of a secret, only where it may lie', () => {
    for (const row of settingsDocument().split('\n')) {
      if (row.includes('a secret, not empty')) expect(row).toContain('_FILE`');
    }
  });
});

/** Every `env: '…'` in the declaring files: also those of a service that this page forgot. */
async function declaredVariables(): Promise<readonly string[]> {
  const folders = ['services', 'mesos-core/src'];
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(ROOT, folder), { recursive: true });
      return names.map((name) => join(folder, name));
    }),
  );
  const sources = files.flat().filter((file) => DECLARING.test(file));
  const texts = await Promise.all(sources.map((file) => readFile(join(ROOT, file), 'utf8')));
  return texts.flatMap((text) =>
    [...text.matchAll(/\benv: '([A-Z_]+)'/g)].map(([, name = '']) => name),
  );
}
