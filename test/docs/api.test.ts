import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BATCH_LIMITS, canonicalRequest, signRequest, VM_LIMITS } from '@factory/contracts';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

describe('docs/api.md', () => {
  it('has a worked example whose lines and signature are right', async () => {
    const page = await readPage();
    const parts = {
      method: 'GET',
      pathWithQuery: '/v1/vms?limit=5&batchId=bat_0190c5f2a7b87c3e9d4f5a6b7c8d9e0f',
      body: '',
      timestamp: '1767225600',
      nonce: 'bm9uY2UtMDAwMDAwMDE',
    };
    expect(page).toContain(`${parts.method} ${parts.pathWithQuery}`);
    expect(page).toContain(`\n${canonicalRequest(parts)}\n`);
    expect(page).toContain(`\`${signRequest('s3cret', parts)}\``);
  });

  it('names every public route of the api-server, and no other', async () => {
    const page = await readPage();
    const documented = [...page.matchAll(/\| `([A-Z]+) (\/v1\/[^` ]*)` +\|/g)];
    expect(documented.map(([, method, path]) => `${method} ${path}`).sort()).toEqual(
      await publicRoutes(),
    );
  });

  it('has the limits of the contracts', async () => {
    const page = await readPage();
    expect(page).toContain(BATCH_LIMITS.countMax.toLocaleString('en'));
    expect(page).toContain(BATCH_LIMITS.totalVcpusMax.toLocaleString('en'));
    expect(page).toContain(`1–${VM_LIMITS.vcpusMax}`);
    expect(page).toContain(`${VM_LIMITS.userDataBytesMax / 1024} KiB`);
  });
});

function readPage(): Promise<string> {
  return readFile(join(ROOT, 'docs/api.md'), 'utf8');
}

/** `app.get('/v1/…'` in the api-server's route files, in OpenAPI's form. */
async function publicRoutes(): Promise<readonly string[]> {
  const source = join(ROOT, 'services/api-server/src');
  const names = await readdir(source, { recursive: true });
  const files = names.filter((name) => name.endsWith('routes.ts'));
  const texts = await Promise.all(files.map((name) => readFile(join(source, name), 'utf8')));
  const found = texts.flatMap((text) => [
    ...text.matchAll(/app\.(get|post|put|patch|delete)\(\s*'(\/v1\/[^']+)'/g),
  ]);
  return found
    .map(([, method = '', path = '']) => `${method.toUpperCase()} ${openApi(path)}`)
    .sort();
}

function openApi(path: string): string {
  return path
    .replace(/\([^)]*\)/g, '')
    .replace(/\/:(\w+)/g, '/{$1}')
    .replace('::', ':');
}
