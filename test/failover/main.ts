import { parseArgs } from 'node:util';
import { createUndiciTransport, sleep, systemClock, waitFor } from '@factory/runtime';
import { MasterOperatorClient } from 'mesos-core/client';
import { expectThat, figure } from '../support/acceptance.ts';
import { Cluster, type MasterProcess, ZOOKEEPER_URL } from './cluster.ts';
import { Framework } from './framework.ts';

/**
 * Rounds of the same: a firewall rule cuts the leading master from ZooKeeper; another leads, the old
 * one exits before that, all tasks are there, once. Run it in a network namespace of its own:
 * `unshare --net node test/failover/main.ts --rounds=10`.
 */
const LEADS_LIMIT_SECONDS = 10;
const FULL_STATE_LIMIT_SECONDS = 2;
const WAIT_MS = 60_000;
/** The old leader, cut off, still leads lawfully at that time. */
const LAUNCH_AFTER_CUT_MS = 1500;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' } } });
const rounds = Number(values.rounds);
const transport = createUndiciTransport();
const cluster = await Cluster.start(transport, { masters: 3, agents: 2 });
const framework = new Framework(transport, ZOOKEEPER_URL);
try {
  await framework.launch(10);
  await framework.launch(10);
  await framework.allRunning();
  for (let round = 1; round <= rounds; round += 1) await failOver(round);
  const output = await cluster.executorOutput();
  expectThat('no executor was given a task twice', !output.includes('LAUNCHED TWICE'));
  const executors = [...output.matchAll(/tiny executor \d+ in/g)].length;
  expectThat('no executor was started twice', executors <= 2, `${executors} executors`);
} finally {
  await framework.close();
  await cluster.remove();
  await transport.close();
}

async function failOver(round: number): Promise<void> {
  const old = await leadingMaster();
  await framework.launch(5);
  const cutAtMs = systemClock.monotonicMs();
  await cluster.cutZooKeeper(old);
  await sleep(systemClock, LAUNCH_AFTER_CUT_MS);
  await framework.launch(5);
  const exit = old.exited;
  const young = await waitFor(
    systemClock,
    'another leader',
    WAIT_MS,
    () => answeringLeader(old),
    20,
  );
  const leadsAtMs = systemClock.monotonicMs();
  const { code, atMs: exitedAtMs } = await exit;
  await framework.allRunning();
  await waitFor(systemClock, 'the full state', WAIT_MS, () => hasFullState(young), 20);
  const fullAtMs = systemClock.monotonicMs();
  const name = `round ${round}`;
  const seconds = (fromMs: number, toMs: number): number => (toMs - fromMs) / 1000;
  figure(`${name}: another leads`, seconds(cutAtMs, leadsAtMs), 's', LEADS_LIMIT_SECONDS);
  const fullState = seconds(leadsAtMs, fullAtMs);
  figure(`${name}: full state after that`, fullState, 's', FULL_STATE_LIMIT_SECONDS);
  const exitText = `exit code ${code} after ${seconds(cutAtMs, exitedAtMs).toFixed(2)} s`;
  expectThat(
    `${name}: the old one exited before (${exitText})`,
    code === 1 && exitedAtMs <= leadsAtMs,
  );
  const count = framework.states.size;
  expectThat(`${name}: ${count} tasks run, each once`, await areTasksThere(young));
  expectThat(`${name}: none was lost`, framework.lost.length === 0, framework.lost.join('; '));
  await old.host.heal();
  await cluster.startMaster(old.host);
}

async function leadingMaster(): Promise<MasterProcess> {
  return waitFor(systemClock, 'a leader', WAIT_MS, () =>
    framework.isSubscribed ? cluster.masters.get(framework.leader ?? '') : undefined,
  );
}

/** The master that leads now, unless it is still the old one; it must answer as the leader. */
async function answeringLeader(old: MasterProcess): Promise<MasterProcess | undefined> {
  const master = cluster.masters.get(framework.leader ?? '');
  if (master === undefined || master === old) return undefined;
  const response = await fetch(`${master.origin}/api/v1`, {
    ...{ method: 'POST', redirect: 'manual', body: '{"type":"GET_HEALTH"}' },
    headers: { 'content-type': 'application/json', accept: 'application/json' },
  }).catch(() => undefined);
  return response?.status === 200 ? master : undefined;
}

async function runningTasks(master: MasterProcess): Promise<readonly string[]> {
  const operator = new MasterOperatorClient({ transport, clock: systemClock, url: master.origin });
  const response = await operator.call({ type: 'GET_TASKS' });
  const tasks = response.get_tasks?.tasks ?? [];
  return tasks.filter(({ state }) => state === 'TASK_RUNNING').map((task) => task.task_id.value);
}

async function hasFullState(master: MasterProcess): Promise<true | undefined> {
  return (await runningTasks(master)).length >= framework.states.size ? true : undefined;
}

async function areTasksThere(master: MasterProcess): Promise<boolean> {
  const found = (await runningTasks(master)).toSorted();
  return JSON.stringify(found) === JSON.stringify([...framework.states.keys()].toSorted());
}
