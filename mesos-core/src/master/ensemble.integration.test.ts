import {
  createUndiciTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openZooKeeperElection, type ZooKeeperElection } from '../election/index.ts';
import { RealEnsemble } from '../zookeeper/testing/real-ensemble.ts';
import { type MasterProcess, MasterProcesses } from './testing/master-process.ts';

const SESSION_TIMEOUT_MS = 6000;
const WAIT_MS = 30_000;
const PATH = '/mesos';

const transport = createUndiciTransport();
let ensemble: RealEnsemble;
let masters: MasterProcesses;
/** What the test itself sees of the election. */
let observer: ZooKeeperElection;

beforeAll(async () => {
  [ensemble, masters] = await Promise.all([RealEnsemble.start(), MasterProcesses.open(transport)]);
  observer = openZooKeeperElection({
    ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
    ...{ url: zkUrl(), sessionTimeoutMs: SESSION_TIMEOUT_MS },
  });
}, 90_000);

afterAll(async () => {
  await masters.close();
  await observer.close();
  await transport.close();
  await ensemble.stop();
});

const zkUrl = () => `zk://${ensemble.servers}${PATH}`;

const startMaster = () =>
  masters.start({
    flags: [`--zk=${zkUrl()}`, `--zk_session_timeout=${SESSION_TIMEOUT_MS}ms`],
  });

/** The member that the session of the leader's node is connected to. */
async function memberOfLeader(): Promise<number | undefined> {
  const node = `${PATH}/${observer.detector.leader?.id}`;
  const stat = await observer.sessions.current.exists(node);
  return stat === undefined ? undefined : ensemble.memberOf(stat.ephemeralOwner);
}

async function setWeight(master: MasterProcess, weight: number): Promise<void> {
  const update_weights = { weight_infos: [{ role: 'a', weight }] };
  const body = JSON.stringify({ type: 'UPDATE_WEIGHTS', update_weights });
  await masters.answer(master.origin, 200, { body });
}

async function weightOf(master: MasterProcess): Promise<unknown> {
  const { text } = await masters.answer(master.origin, 200, { body: '{"type":"GET_WEIGHTS"}' });
  return JSON.parse(text).get_weights.weight_infos;
}

const othersThan = (member: number) => [1, 2, 3].filter((each) => each !== member);

it('masters outlive a member of the ensemble, and its majority ends the leader', async () => {
  const first = await startMaster();
  await masters.answer(first.origin, 200);
  const second = await startMaster();
  await masters.answer(second.origin, 307);
  await setWeight(first, 2);

  // The leader's member dies: the session goes on at another, well within its timeout.
  const { id } = await waitFor(systemClock, 'a leader', WAIT_MS, () => observer.detector.leader);
  const member = await waitFor(systemClock, "the leader's member", WAIT_MS, memberOfLeader);
  await ensemble.kill(member);
  const next = await waitFor(systemClock, 'its next member', SESSION_TIMEOUT_MS, memberOfLeader);
  expect(next).not.toBe(member);
  await setWeight(first, 3);
  expect(observer.detector.leader?.id).toBe(id);
  await masters.answer(second.origin, 307);

  // Without a majority nobody can know who leads.
  await ensemble.kill(next);
  const left = othersThan(member).filter((each) => each !== next);
  expect(left).toHaveLength(1);
  expect(await first.exited).toBe(1);

  // Nothing that was answered is lost.
  await ensemble.startMembers();
  await masters.answer(second.origin, 200);
  expect(observer.detector.leader?.info.port).toBe(second.port);
  expect(await weightOf(second)).toEqual([{ role: 'a', weight: 3 }]);
  await setWeight(second, 4);
}, 120_000);
