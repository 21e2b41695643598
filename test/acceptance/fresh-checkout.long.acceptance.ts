import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { runFactory } from '../support/real-factory.ts';

/** `./factory demo` in a fresh clone ends with eight machines running, in under six minutes. */
const checkout = await mkdtemp(join(tmpdir(), 'factory-clone-'));
try {
  const root = join(import.meta.dirname, '../..');
  await promisify(execFile)('git', ['clone', '--quiet', root, checkout]);
  const demo = await timed(() => runFactory(['demo', '--port', '18990'], checkout));
  console.log(demo.value);
  figure('demo in a fresh checkout', demo.seconds, 's', 360);
  const running = demo.value.match(/running \(ready\)/g)?.length ?? 0;
  expectThat('eight machines run and answer', running === 8, `${running} do`);
} finally {
  await runFactory(['down'], checkout);
  await rm(checkout, { recursive: true, force: true });
}
