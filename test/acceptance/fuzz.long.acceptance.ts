import { systemClock } from '@factory/runtime';
import { fuzzFactory } from '../fuzz/factory.ts';
import { expectThat } from '../support/acceptance.ts';
import { startRealFactory } from '../support/real-factory.ts';

/**
 * Every route of the OpenAPI document gets generated requests, sound and not, signed, through the
 * gateway of a real factory on simulated hosts: no 5xx, no crash, no hang; and it works after it.
 * FACTORY_FUZZ_SEED repeats a run, FACTORY_FUZZ_COUNT makes it shorter.
 */
const COUNT = Number(process.env.FACTORY_FUZZ_COUNT ?? 20_000);
const seed = Number(process.env.FACTORY_FUZZ_SEED ?? systemClock.nowMs() % 1_000_000);
const FAULTS_SHOWN = 20;

console.log(`  seed ${seed}`);
process.env.FACTORY_RATE_LIMIT_PER_SECOND = '100000';
const factory = await startRealFactory('--hypervisor', 'simulated');
try {
  const { report, restarts, works } = await fuzzFactory(factory, { count: COUNT, seed });
  const statuses = [...report.statuses].sort(([a], [b]) => a - b);
  console.log(`  answers by status: ${statuses.map(([s, n]) => `${s}: ${n}`).join(', ')}`);
  if (report.neverGood.length > 0) {
    console.log(`  never answered with success: ${report.neverGood.join(' ')}`);
  }
  for (const fault of report.faults.slice(0, FAULTS_SHOWN)) console.log(`  ${fault}`);
  expectThat(`${COUNT} requests without a 5xx, without a hang`, report.faults.length === 0);
  expectThat('no process ended', restarts.length === 0, restarts.join(' '));
  expectThat('a batch runs after it', works);
} finally {
  await factory.remove();
}
