import { systemClock } from '@factory/runtime';
import { Command } from 'commander';
import pc from 'picocolors';
import { formatVms } from '../output/format.ts';
import { createProgress } from '../output/progress.ts';
import { isSupervisorAlive, readRunState } from '../supervisor/run-state.ts';
import { layoutFor, withClient } from './context.ts';
import { dataOption, integer, PORT_MAX } from './options.ts';
import { sayWhereToLook, UP_DEFAULTS, type UpCommandOptions, upDetached } from './up.ts';
import { waitForBatch } from './wait.ts';

const DEMO_MACHINES = 8;
const DEMO_TIMEOUT_MS = 300_000;

/** `./factory demo` */
export function demoCommand(): Command {
  return new Command('demo')
    .description(`bring the factory up and make ${DEMO_MACHINES} real machines`)
    .option('--port <port>', 'port of the API', integer(1, PORT_MAX), UP_DEFAULTS.port)
    .addOption(dataOption())
    .action(demo);
}

async function demo(options: { readonly data?: string; readonly port: number }): Promise<void> {
  const layout = layoutFor(options);
  const progress = createProgress(systemClock);
  const up: UpCommandOptions = { ...UP_DEFAULTS, ...options };
  if (!(await isSupervisorAlive(await readRunState(layout))))
    await upDetached(layout, up, progress);
  await withClient(options, async ({ client, clock }) => {
    const existing = (await client.batches()).map(({ name }) => name);
    const name = freeName('demo', existing);
    const request = { name, image: 'micro', count: DEMO_MACHINES, vcpus: 1, memoryMiB: 128 };
    const batch = await client.createBatch(request);
    await waitForBatch(client, clock, batch, progress, DEMO_TIMEOUT_MS);
    const vms = await client.vms({ batchId: batch.id });
    console.log(`\n${formatVms(vms, 'table')}\n`);
    console.log(pc.bold('These are real machines. Where to look next:'));
    console.log(`  ./factory vm console ${vms[0]?.name ?? '<name>'}   type on it; Ctrl-] leaves`);
    console.log('  ./factory vm top                 what they use');
    console.log('  virsh list                       the same machines as libvirt sees them');
    console.log('  ./factory batch create --help    make your own');
    console.log('  ./factory status                 the processes behind it');
    await sayWhereToLook(layout);
    console.log(pc.bold('How to stop:'));
    console.log(`  ./factory batch delete ${name}     deletes these machines`);
    console.log('  ./factory down                   takes everything down');
  });
}

/** `demo`, or `demo-2` and so on while that is taken. */
function freeName(wished: string, taken: readonly string[]): string {
  if (!taken.includes(wished)) return wished;
  let number = 2;
  while (taken.includes(`${wished}-${number}`)) number += 1;
  return `${wished}-${number}`;
}
