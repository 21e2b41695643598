import { createHostReader } from '@factory/cluster-server';
import {
  createUndiciTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import { createMesosFramework } from '@factory/vm-scheduler';
import { type Masters, openMasters } from 'mesos-core/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MasterProcesses } from '../../mesos-core/src/master/testing/master-process.ts';
import {
  type RealZooKeeper,
  startRealZooKeeper,
} from '../../mesos-core/src/zookeeper/testing/real-zookeeper.ts';

const WAIT_MS = 30_000;
const world = { clock: systemClock, random: systemRandom, logger: silentLogger };

const transport = createUndiciTransport();
let processes: MasterProcesses;
let zooKeeper: RealZooKeeper;
let masters: Masters;

beforeAll(async () => {
  processes = await MasterProcesses.open(transport);
  zooKeeper = await startRealZooKeeper();
  masters = openMasters(`zk://${zooKeeper.host}:${zooKeeper.port}/mesos`, world);
}, 90_000);

afterAll(async () => {
  await masters.close();
  await processes.close();
  await transport.close();
  await zooKeeper.stop();
});

const startMaster = () =>
  processes.start({
    flags: [`--zk=zk://${zooKeeper.host}:${zooKeeper.port}/mesos`, '--zk_session_timeout=4secs'],
  });

describe('services that are given the address of ZooKeeper', () => {
  it('wait for a leader, and follow it through a failover under the same framework id', async () => {
    const ids: string[] = [];
    const framework = createMesosFramework({
      ...{ ...world, transport, role: 'compute-factory', principal: 'compute-factory' },
      masters: masters.detector ?? masters.list,
      onFenced: (error) => ids.push(error.message),
    });
    framework.start(undefined, {
      onEvent: (event) => {
        if (event.type === 'SUBSCRIBED') ids.push(event.subscribed.framework_id.value);
      },
      onDisconnected: () => undefined,
    });
    const readHosts = createHostReader({ ...world, transport, masters: masters.candidates });
    const hosts = () => readHosts().catch(() => undefined);
    const subscriptions = (count: number) =>
      waitFor(systemClock, `${count} subscriptions`, WAIT_MS, () =>
        ids.length >= count ? ids : undefined,
      );
    await expect(readHosts()).rejects.toThrow('no Mesos master leads');

    const first = await startMaster();
    await subscriptions(1);
    expect(await waitFor(systemClock, 'the hosts', WAIT_MS, hosts)).toEqual([]);
    const second = await startMaster();
    await processes.answer(second.origin, 307);
    first.kill('SIGKILL');
    const [before, after] = await subscriptions(2);
    expect(after).toBe(before);
    expect(masters.candidates()).toEqual([second.origin]);
    expect(await waitFor(systemClock, 'the hosts', WAIT_MS, hosts)).toEqual([]);
    await framework.close();
  }, 90_000);
});
