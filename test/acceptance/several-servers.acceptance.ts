import type { Batch } from '@factory/contracts';
import {
  createServerPool,
  RemoteProblemError,
  sleep,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { readConnection } from '../../cli/src/client/connection.ts';
import { FactoryClient } from '../../cli/src/client/factory-client.ts';
import { expectThat } from '../support/acceptance.ts';
import { killProcess, type RealFactory, startRealFactory } from '../support/real-factory.ts';
import { startTestRedis } from '../support/redis.ts';

/**
 * Two api-servers and two gateways: while batches are asked for without a break, one of each is
 * killed. No call fails for it but those that the killed one had in hand and that may not be
 * repeated, everything that was answered is there, and no name was made twice.
 */
const CALLERS = 4;
const CALLS_MS = 9_000;

const redis = await startTestRedis();
process.env.REDIS_URL = redis.url;
let factory: RealFactory | undefined;
try {
  factory = await startRealFactory(
    ...['--hypervisor', 'simulated', '--api-servers', '2', '--gateways', '2'],
  );
  await killOneOfEach(factory);
} finally {
  await factory?.remove();
  await redis.close();
}

async function killOneOfEach(started: RealFactory): Promise<void> {
  const { layout, transport } = started;
  const connection = await readConnection(layout);
  const urls = connection.gateways ?? [];
  const pool = createServerPool({ clock: systemClock, transport, urls, repeats: false });
  const client = new FactoryClient({ clock: systemClock, transport: pool, ...connection });
  const answered: Batch[] = [];
  const failures: string[] = [];
  const untilMs = systemClock.monotonicMs() + CALLS_MS;
  const call = async (caller: number): Promise<void> => {
    for (let n = 0; systemClock.monotonicMs() < untilMs; n += 1) {
      const size = { count: 1, vcpus: 1, memoryMiB: 128 };
      try {
        const name = `caller-${caller}-${n}`;
        answered.push(await client.createBatch({ name, image: 'micro', ...size }));
      } catch (error) {
        failures.push(error instanceof RemoteProblemError ? error.code : String(error));
      }
      // The rate of a key is not what this is about.
      await sleep(systemClock, 100);
    }
  };
  const calling = Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
  await sleep(systemClock, 1_500);
  await killProcess(layout, 'api-server-2');
  await sleep(systemClock, 2_500);
  await killProcess(layout, 'api-gateway');
  await calling;
  expectThat(`${answered.length} batches were answered`, answered.length > CALLERS * 10);
  expectThat('no call failed', failures.length === 0, failures.join(', '));
  const batches = await waitFor(systemClock, 'the list of batches', 30_000, () =>
    client.batches().catch(() => undefined),
  );
  const known = new Set(batches.map(({ id }) => id));
  const lost = answered.filter(({ id }) => !known.has(id));
  expectThat('none that was answered is lost', lost.length === 0, `${lost.length}`);
  const names = new Set(batches.map(({ name }) => name));
  expectThat('none is there twice', names.size === batches.length);
}
