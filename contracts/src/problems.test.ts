import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from './problems.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The rows of docs/errors.md by code. */
async function documented(): Promise<Map<string, { status: number; title: string }>> {
  const text = await readFile(join(ROOT, 'docs/errors.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\d{3}) \| ([^|]+) \| [^|]+ \|$/gm)];
  return new Map(
    rows.map(([, code = '', status, title = '']) => [code, { status: Number(status), title }]),
  );
}

/** What every HTTP server answers by itself: the runtime's own catalogue, read as text. */
async function ofTheRuntime(): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, 'runtime/src/http/problem-body.ts'), 'utf8');
  const calls = text.matchAll(/standard\((\d{3}), '(FACTORY_ERR_\w+)', '([^']+)'\)/g);
  return [...calls].map(([, status, code, title]) => `${code} ${status} ${title}`);
}

describe('the catalogue of errors', () => {
  it('has stable codes, each once', () => {
    const codes = Object.values(PROBLEMS).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const { code, status, title } of Object.values(PROBLEMS)) {
      expect(code).toMatch(/^FACTORY_ERR_[A-Z]+(_[A-Z]+)*$/);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(600);
      expect(title).toMatch(/^[A-Z]/);
    }
  });

  it('is what docs/errors.md lists, no more and no less', async () => {
    const own = Object.values(PROBLEMS).map(
      ({ code, status, title }) => `${code} ${status} ${title}`,
    );
    const runtime = await ofTheRuntime();
    expect(runtime.length).toBeGreaterThan(5);
    const rows = [...(await documented())].map(
      ([code, row]) => `${code} ${row.status} ${row.title}`,
    );
    expect(rows.toSorted()).toEqual([...new Set([...own, ...runtime])].toSorted());
  });
});
