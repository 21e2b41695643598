import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BATCH_LIMITS } from '@factory/contracts';
import { requestJson, sleep, systemClock } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { SubnetClient } from '../../../cli/src/client/subnet-client.ts';
import { type RealFactory, startRealFactory } from '../../support/real-factory.ts';
import { type Figures, inSeconds, percentile } from '../figures.ts';
import { LoadCluster } from './load-cluster.ts';
import { originOf } from './processes.ts';

const CHANGES_PER_SECOND = 200;
const EXCHANGES_PER_SECOND = 4;
const PAGES = 600;
const READERS = 2;
/** Between two pages of a reader: what is measured is how long one takes, not how many fit. */
const PAUSE_MS = 20;
/** The gateway's own answer, for comparison: what the machine's other work adds to everything. */
const NOTHING = 'nothing but an answer';
const bootstrapAnswer = Compile(
  Type.Object({ clusters: Type.Array(Type.Object({ token: Type.String() })) }),
);

/** Pages of machines, each with a filter, while machines change. */
export async function measureLists(
  figures: Figures,
  { rows }: { readonly rows: number },
): Promise<void> {
  const factory = await startRealFactory('--hypervisor', 'simulated');
  try {
    const cluster = await joinCluster(factory);
    const batches = await fill(factory, cluster, rows, figures);
    const ending = new AbortController();
    const changing = changeMachines(cluster, ending.signal);
    const times = await readPages(factory, cluster, batches);
    ending.abort();
    const rate = await changing;
    figures.note({ what: 'state changes meanwhile', value: rate, unit: '/s' });
    for (const [what, each] of times) {
      figures.note({ what: `${what}, median`, value: percentile(each, 0.5), unit: 'ms' });
      figures.note({ what: `${what}, p99`, value: percentile(each, 0.99), unit: 'ms' });
    }
    const all = [...times].flatMap(([what, each]) => (what === NOTHING ? [] : each));
    const what = `page of 100 out of ${rows} machines, p99`;
    figures.note({ what, value: percentile(all, 0.99), unit: 'ms', limit: 100 });
  } finally {
    await factory.remove();
  }
}

async function joinCluster(factory: RealFactory): Promise<LoadCluster> {
  const { layout, transport, url } = factory;
  const name = 'bench-load';
  const internalToken = (await readFile(join(layout.secrets, 'internal-token'), 'utf8')).trim();
  const { clusters } = await requestJson(
    transport,
    {
      method: 'POST',
      url: `${await originOf(factory, 'api-server')}/internal/v1/bootstrap`,
      headers: { authorization: `Bearer ${internalToken}` },
      json: { clusters: [name] },
      timeoutMs: 30_000,
    },
    (value) => bootstrapAnswer.Parse(value),
  );
  const token = clusters[0]?.token ?? '';
  return LoadCluster.join({ url, name, token, transport, image: 'bench' });
}

/** Batches of machines that all run; gives the ids of the batches. */
async function fill(
  { client }: RealFactory,
  cluster: LoadCluster,
  rows: number,
  figures: Figures,
): Promise<readonly string[]> {
  const batches: string[] = [];
  for (let made = 0; made < rows; ) {
    const count = Math.min(BATCH_LIMITS.countMax, rows - made);
    const subnet = `bench-${batches.length}`;
    const cidr = `10.${128 + batches.length}.0.0/18`;
    await new SubnetClient(client).create({ name: subnet, cidr });
    const request = {
      ...{ name: subnet, image: cluster.image, count, vcpus: 1, memoryMiB: 64 },
      network: { subnet },
    };
    const { value, seconds } = await inSeconds(async () => {
      const accepted = await inSeconds(() => client.createBatch(request));
      await cluster.takeUntil(made + count);
      await cluster.reportRunning(made);
      return accepted;
    });
    const accepted = `accepted in ${value.seconds.toFixed(2)} s`;
    figures.say(`${count} machines ${accepted}, reported as running in ${seconds.toFixed(1)} s`);
    batches.push(value.value.id);
    made += count;
  }
  return batches;
}

/** Reports so many changes a second until it is ended; gives how many came. */
async function changeMachines(cluster: LoadCluster, signal: AbortSignal): Promise<number> {
  const startedMs = systemClock.monotonicMs();
  const part = CHANGES_PER_SECOND / EXCHANGES_PER_SECOND;
  let changed = 0;
  while (!signal.aborted) {
    const at = (changed * 37) % cluster.vms.length;
    const state = Math.floor(changed / cluster.vms.length) % 2 === 0 ? 'stopped' : 'running';
    const chosen = Array.from(
      { length: part },
      (_, index) => (at + index * 911) % cluster.vms.length,
    );
    const vms = chosen.flatMap((index) => cluster.vms[index] ?? []);
    await cluster.exchange({ vms: vms.map((vm) => cluster.report(vm, state)) });
    changed += vms.length;
    const dueMs = startedMs + (changed / CHANGES_PER_SECOND) * 1000;
    const waitMs = dueMs - systemClock.monotonicMs();
    if (waitMs > 0) await sleep(systemClock, waitMs, signal).catch(() => undefined);
  }
  return (changed * 1000) / (systemClock.monotonicMs() - startedMs);
}

/** The milliseconds that pages took, by what they were asked for. */
async function readPages(
  factory: RealFactory,
  cluster: LoadCluster,
  batches: readonly string[],
): Promise<ReadonlyMap<string, readonly number[]>> {
  const wishes: Readonly<Record<string, (number: number) => string>> = {
    [NOTHING]: () => '/health/live',
    'by state': () => '/v1/vms?state=running&limit=100',
    'by rare state': () => '/v1/vms?state=stopped&limit=100',
    'by batch': (number) => `/v1/vms?batchId=${batches[number % batches.length]}&limit=100`,
    'by batch and state': (number) =>
      `/v1/vms?batchId=${batches[number % batches.length]}&state=running&limit=100`,
    'from the middle': (number) =>
      `/v1/vms?state=running&limit=100&cursor=${cursorAt(cluster, number * 151)}`,
    'by host': (number) => `/v1/vms?host=host-${number % 200}&limit=100`,
    'by name prefix': (number) => `/v1/vms?namePrefix=bench-${number % 10}-7&limit=100`,
    'by image, sorted by name': () => '/v1/vms?image=bench&sort=-name&limit=100',
    'by name': (number) => `/v1/vms?name=bench-0-${1 + (number % 1000)}&limit=100`,
  };
  const times = new Map(Object.keys(wishes).map((what) => [what, [] as number[]]));
  const names = Object.keys(wishes);
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < PAGES) {
      const number = next;
      next += 1;
      const what = names[number % names.length] ?? '';
      const path = wishes[what]?.(number) ?? '';
      const startedMs = systemClock.monotonicMs();
      await factory.client.call('GET', path, (value) => value);
      times.get(what)?.push(systemClock.monotonicMs() - startedMs);
      await sleep(systemClock, PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return times;
}

function cursorAt(cluster: LoadCluster, number: number): string {
  const vm = cluster.vms[number % cluster.vms.length];
  return Buffer.from(vm?.vmId ?? '').toString('base64url');
}
