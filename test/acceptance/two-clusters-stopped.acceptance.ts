import { readdir, readFile } from 'node:fs/promises';
import type { BatchId } from '@factory/contracts';
import { sleep, systemClock, waitFor } from '@factory/runtime';
import { readRunState } from '../../cli/src/supervisor/run-state.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { machinesOfCluster } from '../support/machines-of-cluster.ts';
import { type RealFactory, startRealFactory } from '../support/real-factory.ts';

/**
 * Two clusters and one api-server: a batch of 200 is split by capacity; all processes of one cluster
 * are stopped during it, and continued later. The count is exact in the end, none is there twice.
 */
const COUNT = 200;
/** Of each machine: a simulated host has 4,096, and so has room for 127. */
const VCPUS = 32;
const READY_MS = 120_000;
const LIMIT_SECONDS = 90;

const factory = await startRealFactory(
  ...['--hypervisor', 'simulated', '--clusters', '2', '--agents', '1'],
);
try {
  await splitAndStop(factory, 'before', 0);
  await splitAndStop(factory, 'during', 1_500);
} finally {
  await factory.remove();
}

/** The second cluster is stopped `afterMs` after the batch was asked for, or just before it. */
async function splitAndStop(all: RealFactory, name: string, afterMs: number): Promise<void> {
  const { client, run } = all;
  const stopped = await processesOf(all, 'cluster-2');
  if (afterMs === 0) signal(stopped, 'SIGSTOP');
  const size = [
    '--image',
    'micro',
    '--count',
    String(COUNT),
    '--vcpus',
    String(VCPUS),
    '--memory',
    '64',
  ];
  const { seconds } = await timed(async () => {
    await run('batch', 'create', '--name', name, ...size);
    if (afterMs > 0) {
      await sleep(systemClock, afterMs);
      signal(stopped, 'SIGSTOP');
    }
    const { id } = await batchNamed(all, name);
    // Long enough that what it has not claimed is taken back.
    await sleep(systemClock, 20_000);
    const early = await tally(all, id);
    console.log(`  ${name}: while cluster-2 is stopped: ${JSON.stringify(early)}`);
    signal(stopped, 'SIGCONT');
    await waitFor(systemClock, 'all machines', READY_MS, async () => {
      const running = (await client.vms({ batchId: id, state: 'running' })).length;
      return running === COUNT ? true : undefined;
    });
  });
  figure(`${name}: ${COUNT} machines run, a cluster stopped for 20 s`, seconds, 's', LIMIT_SECONDS);
  const batch = await batchNamed(all, name);
  const vms = await client.vms({ batchId: batch.id });
  const byCluster = Map.groupBy(vms, (vm) => vm.clusterId);
  const split = [...byCluster.values()].map((each) => each.length);
  expectThat(`${name}: the API knows exactly ${COUNT}`, vms.length === COUNT, `${vms.length}`);
  console.log(`  ${name}: split ${split.join(' + ')}`);
  const there = await machinesOfCluster(all, 'cluster-1');
  const others = await machinesOfCluster(all, 'cluster-2');
  const both = [...there].filter((id) => others.has(id));
  expectThat(`${name}: no machine is in both clusters`, both.length === 0, both.join(' '));
  const found = vms.filter((vm) => there.has(vm.id) || others.has(vm.id)).length;
  const total = there.size + others.size;
  expectThat(
    `${name}: the hosts have exactly these ${COUNT}`,
    found === COUNT && total === COUNT,
    `${total} on hosts, ${found} of them the batch's`,
  );
  await run('batch', 'delete', name, '--wait');
  const left = (await machinesOfCluster(all, 'cluster-1')).size;
  const leftToo = (await machinesOfCluster(all, 'cluster-2')).size;
  expectThat(`${name}: nothing is left of it`, left + leftToo === 0, `${left} + ${leftToo}`);
}

async function batchNamed({ client }: RealFactory, name: string) {
  const batch = (await client.batches()).find((each) => each.name === name);
  if (batch === undefined) throw new Error(`there is no batch ${name}`);
  return batch;
}

async function tally({ client }: RealFactory, batchId: BatchId) {
  const vms = await client.vms({ batchId });
  const states = Map.groupBy(vms, (vm) => vm.state);
  return Object.fromEntries([...states].map(([state, each]) => [state, each.length]));
}

/** All processes of a cluster, with those that they have started, by their pids. */
async function processesOf({ layout }: RealFactory, cluster: string): Promise<readonly number[]> {
  const state = await readRunState(layout);
  const roots = (state?.processes ?? [])
    .filter(({ name }) => name.includes(cluster))
    .flatMap(({ identity }) => identity?.pid ?? []);
  if (roots.length === 0) throw new Error(`nothing of ${cluster} runs`);
  const parents = await parentOfEach();
  const isWithin = (pid: number): boolean => {
    const parent = parents.get(pid);
    return roots.includes(pid) || (parent !== undefined && parent > 1 && isWithin(parent));
  };
  return [...parents.keys()].filter(isWithin);
}

async function parentOfEach(): Promise<ReadonlyMap<number, number>> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    const [, parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (stat !== '') parents.set(Number(entry), Number(parent));
  }
  return parents;
}

function signal(pids: readonly number[], name: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch (error) {
      // An executor may have ended meanwhile.
      console.log(`  ${name} to ${pid}: ${String(error)}`);
    }
  }
}
