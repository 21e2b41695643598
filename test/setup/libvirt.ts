import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@factory/runtime';
import { endAll } from '../../cli/src/supervisor/clean-up.ts';
import { ensureLibvirt } from '../../cli/src/supervisor/host.ts';
import { layoutOf } from '../../cli/src/supervisor/layout.ts';
import { identify } from '../../cli/src/supervisor/run-state.ts';

/** libvirtd and virtlogd for the tests, unless they run already; ended afterwards if they are ours. */
export default async function setup(): Promise<() => Promise<void>> {
  const root = join(import.meta.dirname, '../..');
  const layout = layoutOf(root, join(root, '.factory-test'));
  await mkdir(layout.logs, { recursive: true });
  const daemons = await ensureLibvirt(layout, systemClock);
  const identities = await Promise.all(daemons.map(({ pid }) => identify(pid)));
  return async () => {
    for (const identity of identities.reverse()) {
      if (identity !== null) await endAll([identity], systemClock);
    }
  };
}
