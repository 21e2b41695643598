import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@factory/runtime';
import { endAll } from '../../cli/src/supervisor/clean-up.ts';
import { layoutOf } from '../../cli/src/supervisor/layout.ts';
import { LibvirtDaemons } from '../../cli/src/supervisor/libvirt-daemons.ts';

/** libvirtd and virtlogd for the tests, unless they run already; ended afterwards if they are ours. */
export default async function setup(): Promise<() => Promise<void>> {
  const root = join(import.meta.dirname, '../..');
  const layout = layoutOf(root, join(root, '.factory-test'));
  await mkdir(layout.logs, { recursive: true });
  const daemons = new LibvirtDaemons({
    ...{ layout, clock: systemClock, logger: silentLogger },
    earlier: [],
    onChange: () => undefined,
  });
  await daemons.start();
  return async () => {
    daemons.close();
    for (const { identity } of daemons.owned.toReversed()) await endAll([identity], systemClock);
  };
}
