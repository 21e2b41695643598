import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** Folders of the checkout whose paths pages name from the root. */
const FOLDERS =
  'cli|contracts|deploy|docs|images|libvirt|mesos-core|migrations|runtime|services|test';
const PATH = new RegExp(`\`((?:${FOLDERS})/[\\w@./-]*[\\w/])\``, 'g');

const PAGES = ['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md'];

describe.each(PAGES)('%s', (page) => {
  it('names files and folders that are there', async () => {
    expect(await missingPaths(page)).toEqual([]);
  });
});

describe('docs/settings.md', () => {
  it('has a default that makes sense for each setting', async () => {
    expect(await readFile(join(ROOT, 'docs/settings.md'), 'utf8')).not.toMatch(/NaN|undefined/);
  });
});

describe('docs/decisions', () => {
  it('have numbers of their own, which their titles bear', async () => {
    const names = (await readdir(join(ROOT, 'docs/decisions'))).sort();
    const numbers = names.map((name) => name.slice(0, 4));
    expect(new Set(numbers).size).toBe(names.length);
    for (const name of names) {
      const text = await readFile(join(ROOT, 'docs/decisions', name), 'utf8');
      expect(Number(/^# (\d+)[.:] /.exec(text)?.[1]), name).toBe(Number(name.slice(0, 4)));
    }
  });
});

async function missingPaths(page: string): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, page), 'utf8');
  const paths = [...text.matchAll(PATH)].map(([, path = '']) => path);
  const found = await Promise.all(
    paths.map((path) =>
      access(join(ROOT, path)).then(
        () => [],
        () => [path],
      ),
    ),
  );
  return found.flat();
}
