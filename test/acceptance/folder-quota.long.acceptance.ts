import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { layoutOn } from '../../cli/src/supervisor/shared-storage.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { makeVolume, startRealFactory } from '../support/real-factory.ts';

/**
 * A folder on a real GlusterFS that is over its quota: what a guest writes to it is refused, what is in it
 * can be deleted by the guest, and then it is written to again.
 */
const TIMEOUT_MS = 240_000;
/** Measured every 30 s, looked at every 10 s by each host; and the guest tries every second. */
const REFUSED_S = 60;
const GIB = 1024 ** 3;

/** Says on its console when writing begins or ceases to work, and deletes what it is told to. */
const PROBE = `#!/bin/sh
(while sleep 1; do
  now=no; dd if=/etc/passwd of=/data/probe 2>/dev/null && now=yes
  [ "$now" = "$last" ] || echo "WRITES $now" >/dev/ttyS0
  last=$now
  [ -e /data/delete ] && rm -f /data/fill
done) &
`;

const factory = await startRealFactory('--shared-storage', 'gluster');
const { client } = factory;
try {
  const volume = await makeVolume(factory, { name: 'shared', kind: 'directory', sizeGiB: 1 });
  const batch = await client.createBatch({
    ...{ name: 'probe', image: 'micro', count: 1, memoryMiB: 128, userData: PROBE },
    volumes: [{ volume: 'shared', path: '/data' }],
  });
  const vm = await waitFor(systemClock, 'the machine', TIMEOUT_MS, async () => {
    const [first] = await client.vms({ batchId: batch.id });
    return first;
  });
  const said = (words: readonly string[]) =>
    waitFor(systemClock, words.join(), TIMEOUT_MS, async () => {
      const text = await client.logs(vm.id);
      const found = Array.from(text.matchAll(/^WRITES (\w+)/gm), ([, word]) => word);
      return found.join() === words.join() ? true : undefined;
    });
  await said(['yes']);

  const folder = join(layoutOn(factory.layout, 'gluster').volumes, volume.id, 'data');
  execFileSync('fallocate', ['--length', String(GIB + 1), join(folder, 'fill')]);
  const refused = await timed(() => said(['yes', 'no']));
  figure('what a guest writes over the quota is refused', refused.seconds, 's', REFUSED_S);
  const { usedBytes } = await client.findVolume('shared');
  expectThat('the API shows what it takes', (usedBytes ?? 0) > GIB, `${usedBytes} bytes`);

  writeFileSync(join(folder, 'delete'), '');
  const again = await timed(() => said(['yes', 'no', 'yes']));
  figure('it is written to again after the guest has deleted', again.seconds, 's', REFUSED_S);
  rmSync(join(folder, 'delete'));
  await factory.run('batch', 'delete', 'probe', '--wait');
} finally {
  await factory.remove();
}
