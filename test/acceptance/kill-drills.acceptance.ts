import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Vm } from '@factory/contracts';
import { isSameProcessAlive, type ProcessIdentity, systemClock, waitFor } from '@factory/runtime';
import { hostDirectory } from '../../cli/src/supervisor/layout.ts';
import { readRunState } from '../../cli/src/supervisor/run-state.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { guestProcesses, type RealFactory, startRealFactory } from '../support/real-factory.ts';

/**
 * SIGKILL for the executor, the agent and the vm-scheduler while eight guests run: no guest restarts,
 * all are `running` in the API within 15 s, and still obey.
 */
const LIMIT_SECONDS = 15;

const factory = await startRealFactory();
try {
  const size = ['--image', 'micro', '--count', '8', '--vcpus', '1', '--memory', '128'];
  await factory.run('batch', 'create', '--name', 'drill', ...size, '--wait');
  const vms = await factory.client.vms({});
  await drill(factory, vms, 'executor', () => executorOf(factory));
  await drill(factory, vms, 'agent', () => processOf(factory, 'agent-1'));
  await drill(factory, vms, 'vm-scheduler', () => processOf(factory, 'vm-scheduler'));
} finally {
  await factory.remove();
}

async function drill(
  { client, run }: RealFactory,
  vms: readonly Vm[],
  what: string,
  find: () => Promise<ProcessIdentity>,
): Promise<void> {
  const before = await guestProcesses(vms);
  const victim = await find();
  process.kill(victim.pid, 'SIGKILL');
  const { seconds } = await timed(async () => {
    await waitFor(systemClock, `a new ${what}`, 60_000, async () => {
      const current = await find().catch(() => undefined);
      const isNew = current !== undefined && current.pid !== victim.pid;
      return isNew && (await isSameProcessAlive(current)) ? true : undefined;
    });
    // Control is back when a wish takes effect; the API may never have seen them leave `running`.
    await run('vm', 'stop', vms[0]?.id ?? '', '--wait');
    await run('vm', 'start', vms[0]?.id ?? '', '--wait');
    await waitFor(systemClock, 'eight running machines', 60_000, async () => {
      const running = (await client.vms({ state: 'running' })).length;
      return running === vms.length ? true : undefined;
    });
  });
  figure(`${what} killed: all running, a stop and a start obeyed`, seconds, 's', LIMIT_SECONDS);
  const after = await guestProcesses(vms);
  const restarted = vms.slice(1).filter(({ id }) => before.get(id) !== after.get(id));
  expectThat(`${what} killed: no guest restarted`, restarted.length === 0);
}

async function executorOf({ layout }: RealFactory): Promise<ProcessIdentity> {
  const host = hostDirectory(layout, 'cluster-1', 'cluster-1-agent-1');
  return JSON.parse(await readFile(join(host, 'executor.json'), 'utf8'));
}

async function processOf({ layout }: RealFactory, name: string): Promise<ProcessIdentity> {
  const state = await readRunState(layout);
  const identity = state?.processes.find((each) => each.name.includes(name))?.identity;
  if (identity === undefined || identity === null) throw new Error(`${name} does not run`);
  return identity;
}
