import { isSameProcessAlive, systemClock, waitFor } from '@factory/runtime';
import { Command } from 'commander';
import { createProgress, type Progress } from '../output/progress.ts';
import { cleanUp } from '../supervisor/clean-up.ts';
import type { Layout } from '../supervisor/layout.ts';
import { isSupervisorAlive, readRunState } from '../supervisor/run-state.ts';
import { layoutFor } from './context.ts';
import { dataOption } from './options.ts';

const DOWN_TIMEOUT_MS = 180_000;

/** `./factory down` */
export function downCommand(): Command {
  return new Command('down')
    .description('take the factory down; machines are powered off and come back at the next up')
    .option('--keep-vms', 'leave the machines running')
    .addOption(dataOption())
    .action(async (options: { data?: string; keepVms?: true }) => {
      const progress = createProgress(systemClock);
      await down(layoutFor(options), options.keepVms === true, progress);
      progress.done(options.keepVms === true ? 'Down; the machines go on' : 'The factory is down');
    });
}

/** Takes the factory down, whatever state it is in. */
export async function down(layout: Layout, keepVms: boolean, progress: Progress): Promise<void> {
  const state = await readRunState(layout);
  if (state !== undefined && (await isSupervisorAlive(state))) {
    progress.step('stopping the factory');
    process.kill(state.supervisor.pid, keepVms ? 'SIGUSR2' : 'SIGTERM');
    await waitFor(systemClock, 'the end of the factory', DOWN_TIMEOUT_MS, async () =>
      (await isSameProcessAlive(state.supervisor)) ? undefined : true,
    );
    // An orderly end leaves nothing to do, unless guests were kept.
    if ((await readRunState(layout)) === undefined) return;
  }
  // Whatever a supervisor that was killed has left.
  const clock = systemClock;
  await cleanUp({ layout, keepVms, clock, onProgress: (text) => progress.step(text) });
}
