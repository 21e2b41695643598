import type { Vm } from '@factory/contracts';
import { sleep, systemClock } from '@factory/runtime';
import { capacityOf } from '../../services/api-server/src/testing/cluster.ts';
import { startFactory, type TestCaller } from '../../services/api-server/src/testing/factory.ts';
import { STORE_KINDS } from '../../services/api-server/src/testing/stores.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';

const BATCHES = 1_000;
const PLANNED_WITHIN_MS = 300_000;
let repeats = 0;

/**
 * A thousand machines asked for at once, of two api-servers on one PostgreSQL: no address and no MAC
 * is given twice in a subnet.
 */
const postgres = STORE_KINDS.find(({ name }) => name === 'on PostgreSQL');
if (postgres === undefined) throw new Error('there is no PostgreSQL to test on');
const databases = await postgres.open();
const database = await databases.create();
const servers = [await startFactory(database), await startFactory(database)];
const [caller, other] = servers.map((server) => server.caller) as [TestCaller, TestCaller];
try {
  const cluster = await servers[0]?.join('idc-1');
  const capacity = capacityOf(systemClock, 100, { vcpus: 96, memoryMiB: 262_144 });
  await cluster?.exchange({ capacity });
  await caller.ok('POST', '/v1/subnets', { name: 'front', cidr: '10.20.0.0/20' });
  await caller.ok('POST', '/v1/subnets', { name: 'back', cidr: '10.21.0.0/20' });

  const posts = await timed(() =>
    Promise.all(Array.from({ length: BATCHES }, (_, index) => post(index))),
  );
  figure(`${BATCHES} parallel POSTs (${repeats} sent again)`, posts.seconds, 's', 20);
  const planning = await timed(allPlanned);
  const seconds = posts.seconds + planning.seconds;
  figure(`${BATCHES} machines have their addresses`, seconds, 's', 40);

  const vms = await machines();
  expectThat(`${BATCHES} machines`, vms.length === BATCHES, `${vms.length}`);
  const cards = vms.flatMap((vm) => [vm, ...(vm.nics ?? [])]);
  const isComplete =
    cards.length === 1.5 * BATCHES && cards.every((card) => card.ipAddress !== null);
  expectThat('every second machine has two cards, all with an address', isComplete);
  for (const field of ['ipAddress', 'macAddress'] as const) {
    const given = cards.map((card) => `${card.subnetId} ${card[field]}`);
    const duplicates = given.length - new Set(given).size;
    expectThat(`duplicates of ${field}: ${duplicates}`, duplicates === 0);
  }
} finally {
  for (const server of servers) await server.close();
  await database.drop();
  await databases.close();
}

async function post(index: number): Promise<void> {
  const server = index % 2 === 0 ? caller : other;
  const nics = index % 2 === 0 ? { nics: [{ subnet: 'back' }] } : {};
  const one = { image: 'micro', count: 1, memoryMiB: 64, network: { subnet: 'front' } };
  const body = { name: `b${index}`, ...one, ...nics };
  for (;;) {
    const key = { 'idempotency-key': `k${index}` };
    const answer = await server.call('POST', '/v1/batches', body, key);
    if (answer.statusCode === 202) return;
    // What a client does that is told to: the same again, with the same key.
    if (answer.statusCode !== 503) throw new Error(`${answer.statusCode}: ${answer.body}`);
    repeats += 1;
    await sleep(systemClock, 500);
  }
}

async function allPlanned(): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + PLANNED_WITHIN_MS;
  while (systemClock.monotonicMs() < deadlineMs) {
    const found = await machines();
    if (found.length === BATCHES && found.every((vm) => vm.ipAddress !== null)) return;
    await sleep(systemClock, 500);
  }
}

async function machines(): Promise<readonly Vm[]> {
  const all: Vm[] = [];
  for (let cursor = ''; ; ) {
    const page = await caller.ok('GET', `/v1/vms?limit=500${cursor}`);
    all.push(...page.items);
    if (page.nextCursor === null) return all;
    cursor = `&cursor=${page.nextCursor}`;
  }
}
