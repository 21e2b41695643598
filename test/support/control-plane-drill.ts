import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Batch, Vm } from '@factory/contracts';
import { sleep, systemClock, waitFor } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { auditInvariants } from '../../cli/src/client/audit-client.ts';
import { expectThat, timed } from './acceptance.ts';
import { killProcess, type RealFactory, startRealFactory } from './real-factory.ts';
import { startTestRedis, type TestRedis } from './redis.ts';

/** What is killed while a batch is made. */
export const VICTIMS = [
  'api-server',
  'api-gateway',
  'PostgreSQL',
  'Redis',
  'all of Redis',
] as const;
type Victim = (typeof VICTIMS)[number];

const BATCH_TIMEOUT_MS = 240_000;
/** Of the time that a batch takes when nothing is killed: later ones would often come too late. */
const MIDDLE = 0.7;
/** How long Redis is away at most. */
const REDIS_AWAY_MS = 1_500;

interface Drill {
  readonly factory: RealFactory;
  readonly redis: TestRedis;
  readonly machines: number;
  /** From the request to the last running machine, when nothing is killed. */
  readonly undisturbedMs: number;
}

/**
 * Makes a batch for each victim and seed, and kills the victim in the middle of it: the seed says
 * when, how often and for how long. Each batch must end with exactly its machines, and the auditor
 * must find nothing, then and when the batch is deleted.
 */
export async function drillControlPlane(options: {
  readonly machines: number;
  readonly victims: readonly Victim[];
  readonly seeds: readonly number[];
}): Promise<void> {
  const { machines, victims, seeds } = options;
  const redis = await startTestRedis();
  process.env.REDIS_URL = redis.url;
  let factory: RealFactory | undefined;
  try {
    factory = await startRealFactory('--hypervisor', 'simulated', '--agents', '2');
    const plain = { factory, redis, machines, undisturbedMs: 0 };
    const { seconds } = await timed(() => round(plain, 'undisturbed', async () => undefined));
    const drill = { ...plain, undisturbedMs: seconds * 1000 };
    for (const victim of victims) {
      for (const seed of seeds) {
        await round(drill, `${victim}, seed ${seed}`, () => kill(drill, victim, seed));
      }
    }
  } finally {
    await factory?.remove();
    await redis.close();
  }
}

/** One batch, from nothing to nothing. */
async function round(drill: Drill, what: string, disturb: () => Promise<void>): Promise<void> {
  const { factory, machines } = drill;
  const name = `drill-${what.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
  const batch = await create(factory, name, machines);
  const { seconds } = await timed(async () => {
    await disturb();
    await until(`${machines} running machines (${what})`, async () => {
      const { vmCounts } = await factory.client.batch(batch.id);
      return vmCounts.running === machines;
    });
  });
  const vms = await retried('the list of machines', () =>
    factory.client.vms({ batchId: batch.id }),
  );
  const wrong = isExact(vms, machines) ? [] : [`there are ${vms.length} machines`];
  wrong.push(...(await breaches(factory)));
  await retried('the deletion', () => factory.client.deleteBatch(batch.id));
  await until('the end of the batch', async () => {
    return (await factory.client.batch(batch.id)).state === 'deleted';
  });
  wrong.push(...(await breaches(factory)).map((each) => `when it is deleted, ${each}`));
  const said = `${machines} machines run after ${seconds.toFixed(1)} s, the auditor is clean`;
  expectThat(`${what}: ${said}`, wrong.length === 0, wrong.join('; '));
}

/** As many as there should be, each once, each with an address of its own. */
function isExact(vms: readonly Vm[], machines: number): boolean {
  const distinct = (values: readonly (string | null)[]) => new Set(values).size === machines;
  return (
    vms.length === machines &&
    distinct(vms.map(({ name }) => name)) &&
    distinct(vms.map(({ ipAddress }) => ipAddress))
  );
}

/** What the auditor finds, and what is on hosts and nobody's. */
async function breaches({ client }: RealFactory): Promise<readonly string[]> {
  const audit = await retried('the auditor', () => auditInvariants(client));
  const orphans = await retried('the orphans', () => client.orphans());
  return [
    ...(audit?.breaches ?? [{ rule: 'audit', what: 'nobody may ask' }])
      .slice(0, 5)
      .map(({ rule, what }) => `${rule}: ${what}`),
    ...orphans.map(({ vmId, hostName }) => `${hostName} has something of ${vmId}`),
  ];
}

async function kill(drill: Drill, victim: Victim, seed: number): Promise<void> {
  const { factory, redis, undisturbedMs } = drill;
  const random = seededRandom(`${victim} ${seed}`);
  const times = random.next() < 0.3 ? 2 : 1;
  for (let n = 0; n < times; n += 1) {
    await sleep(systemClock, random.next() * undisturbedMs * MIDDLE);
    switch (victim) {
      case 'api-server':
      case 'api-gateway':
        await retried(victim, () => killProcess(factory.layout, victim));
        break;
      case 'PostgreSQL':
        await retried(victim, () => killPostgres(factory));
        break;
      case 'Redis':
        await redis.killFor(random.next() * REDIS_AWAY_MS);
        break;
      case 'all of Redis':
        await redis.empty();
    }
  }
}

async function killPostgres({ layout }: RealFactory): Promise<void> {
  const text = await readFile(join(layout.postgres, 'cluster/postmaster.pid'), 'utf8');
  const [pid = ''] = text.split('\n', 1);
  process.kill(Number(pid), 'SIGKILL');
}

/** A call that got no answer may have been carried out: then the batch is there by its name. */
function create({ client }: RealFactory, name: string, machines: number): Promise<Batch> {
  const size = { count: machines, vcpus: 1, memoryMiB: 128, diskGiB: 1 };
  return retried('the batch', () =>
    client.createBatch({ name, image: 'micro', ...size }).catch(() => client.findBatch(name)),
  );
}

/** What it gives once it does not fail: parts of the factory are away. */
function retried<T>(what: string, work: () => Promise<T>): Promise<T> {
  return waitFor(systemClock, what, BATCH_TIMEOUT_MS, async () => {
    try {
      return { value: await work() };
    } catch {
      return undefined;
    }
  }).then(({ value }) => value);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  await waitFor(systemClock, what, BATCH_TIMEOUT_MS, async () =>
    (await condition().catch(() => false)) ? true : undefined,
  );
}
