import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { readTextIfExists, writeFileAtomic } from '@factory/runtime';
import type { Layout } from './layout.ts';
import { secretFile } from './process-plan.ts';

/** The secrets that the processes share, made at the first start; files of mode 0600. */
export async function ensureSecrets(
  layout: Layout,
  clusterNames: readonly string[],
): Promise<{ readonly internalToken: string }> {
  await mkdir(layout.secrets, { recursive: true, mode: 0o700 });
  for (const name of ['secret-key', ...clusterNames.map((each) => `${each}-secret-key`)]) {
    await ensureSecret(layout, name, () => randomBytes(32).toString('base64'));
  }
  const internalToken = await ensureSecret(layout, 'internal-token', () =>
    randomBytes(32).toString('base64url'),
  );
  return { internalToken };
}

/** Writes a secret that is made anew at every start. */
export async function putSecret(layout: Layout, name: string, value: string): Promise<void> {
  await writeFileAtomic(secretFile(layout, name), value, { mode: 0o600 });
}

async function ensureSecret(layout: Layout, name: string, make: () => string): Promise<string> {
  const known = await readTextIfExists(secretFile(layout, name));
  if (known !== undefined) return known;
  const value = make();
  await putSecret(layout, name, value);
  return value;
}
