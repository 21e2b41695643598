import { createUndiciTransport, isSameProcessAlive } from '@factory/runtime';
import { Command } from 'commander';
import pc from 'picocolors';
import { isSupervisorAlive, type RunState, readRunState } from '../supervisor/run-state.ts';
import { layoutFor } from './context.ts';
import { dataOption } from './options.ts';

interface ProcessStatus {
  readonly name: string;
  readonly state: 'ready' | 'not ready' | 'ended';
  readonly pid: number | null;
  readonly restarts: number;
  readonly url: string;
  readonly log: string;
}

/** `./factory status`: exit code 0 when everything is ready, 1 when not, 3 when nothing runs. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show the processes of the factory')
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action(async (options: { data?: string; json?: true }) => {
      const state = await readRunState(layoutFor(options));
      const isRunning = await isSupervisorAlive(state);
      const processes = isRunning && state !== undefined ? await statuses(state) : [];
      const isReady = isRunning && processes.every((each) => each.state === 'ready');
      if (options.json === true) {
        console.log(JSON.stringify({ running: isRunning, ready: isReady, processes }, null, 2));
      } else print(isRunning, processes);
      process.exitCode = isReady ? 0 : isRunning ? 1 : 3;
    });
}

async function statuses(state: RunState): Promise<readonly ProcessStatus[]> {
  const transport = createUndiciTransport();
  const found = await Promise.all(
    state.processes.map(async ({ name, identity, readyUrl, restarts, logFile }) => {
      const isAlive = identity !== null && (await isSameProcessAlive(identity));
      const request = { method: 'GET', url: readyUrl, timeoutMs: 3_000 } as const;
      const answer = await transport.request(request).catch(() => undefined);
      const health = answer?.status === 200 ? 'ready' : 'not ready';
      const url = new URL(readyUrl).origin;
      const pid = isAlive ? identity.pid : null;
      return { name, state: isAlive ? health : 'ended', pid, restarts, url, log: logFile } as const;
    }),
  );
  await transport.close();
  return found;
}

function print(isRunning: boolean, processes: readonly ProcessStatus[]): void {
  if (!isRunning) {
    console.log('The factory is not running. Start it with: ./factory up --detach');
    return;
  }
  const width = Math.max(...processes.map(({ name }) => name.length));
  for (const { name, state, pid, url, restarts, log } of processes) {
    const colour = state === 'ready' ? pc.green : pc.red;
    const again = restarts > 0 ? `  restarted ${restarts} times` : '';
    const hint = state === 'ready' ? '' : `  log: ${log}`;
    const pidText = pid === null ? '' : `  pid ${pid}`;
    console.log(
      `${name.padEnd(width)}  ${colour(state.padEnd(9))}  ${url}${pidText}${again}${hint}`,
    );
  }
}
