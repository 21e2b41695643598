import { sleep, systemClock } from '@factory/runtime';
import { makeBatch, type RealFactory, startRealFactory } from '../../support/real-factory.ts';
import { type Figures, inSeconds } from '../figures.ts';
import { cpuOf, sqlStatementsOf } from './processes.ts';

const DEADLINE_MS = 600_000;
const POLL_MS = 250;
const MEMORY_MIB = 64;
/** At a time on each host: a large host has more cores than this machine, which simulates several. */
const POWER_ONS_MAX = '64';
/** What a host keeps for the executor, which is no machine. */
const EXECUTOR_SHARE = { cpus: 1, memoryMiB: 1_024 };

/**
 * One batch on hosts that are simulated below the executor: every process, every call and every
 * statement is as with real ones.
 */
export async function measureBatch(
  figures: Figures,
  { vms, agents }: { readonly vms: number; readonly agents: number },
): Promise<void> {
  // Some room is left: what the last machines wait for is not what is measured.
  const perAgent = Math.ceil((vms / agents) * 1.05);
  const memory = perAgent * (MEMORY_MIB + 48) + EXECUTOR_SHARE.memoryMiB;
  process.env.FACTORY_POWER_ONS_MAX ??= POWER_ONS_MAX;
  const factory = await startRealFactory(
    ...['--hypervisor', 'simulated', '--agents', String(agents)],
    ...['--agent-resources', `cpus:${perAgent + EXECUTOR_SHARE.cpus};mem:${memory};disk:99999999`],
  );
  try {
    await measureOn(factory, figures, vms);
  } finally {
    if (process.env.BENCH_KEEP === undefined) await factory.remove();
  }
}

async function measureOn(factory: RealFactory, figures: Figures, vms: number): Promise<void> {
  const { client } = factory;
  await runningBatch(factory, 'warm-up', 4);
  const before = await sqlStatementsOf(factory);
  const cpuBefore = await cpuOf(factory);
  const startedMs = systemClock.monotonicMs();
  const accepted = await inSeconds(() =>
    client.createBatch({ name: 'large', image: 'micro', count: vms, memoryMiB: MEMORY_MIB }),
  );
  const what = `create of a batch of ${vms} accepted`;
  figures.note({ what, value: accepted.seconds, unit: 's', limit: 1 });
  let said = -1;
  for (;;) {
    const { vmCounts } = await client.batch(accepted.value.id);
    const running = vmCounts.running ?? 0;
    const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
    if (Math.floor(seconds / 5) > said) {
      said = Math.floor(seconds / 5);
      figures.say(`${seconds.toFixed(0)} s: ${JSON.stringify(vmCounts)}`);
    }
    if (running === vms) break;
    if (seconds * 1000 > DEADLINE_MS) throw new Error(`only ${running} of ${vms} machines run`);
    await sleep(systemClock, POLL_MS);
  }
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  figures.note({ what: `${vms} machines running`, value: seconds, unit: 's', limit: 50 });
  for (const [name, used] of await cpuOf(factory)) {
    const ms = ((used - (cpuBefore.get(name) ?? 0)) * 1000) / vms;
    figures.note({ what: `CPU of ${name}`, value: ms, unit: 'ms a machine' });
  }
  const after = await sqlStatementsOf(factory);
  let total = 0;
  for (const [name, count] of after) {
    const used = count - (before.get(name) ?? 0);
    total += used;
    figures.note({ what: `statements of ${name}`, value: used / vms, unit: 'a machine' });
  }
  figures.note({ what: 'SQL statements', value: total / vms, unit: 'a machine', limit: 0.5 });
}

async function runningBatch(factory: RealFactory, name: string, count: number): Promise<void> {
  const { client } = factory;
  const { id } = await makeBatch(factory, { name, image: 'micro', count, memoryMiB: MEMORY_MIB });
  const startedMs = systemClock.monotonicMs();
  while ((await client.batch(id)).vmCounts.running !== count) {
    if (systemClock.monotonicMs() - startedMs > DEADLINE_MS)
      throw new Error(`${name} does not run`);
    await sleep(systemClock, POLL_MS);
  }
  await client.deleteBatch(id);
  while ((await client.batch(id)).state !== 'deleted') await sleep(systemClock, POLL_MS);
}
