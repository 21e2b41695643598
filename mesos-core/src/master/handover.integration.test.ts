import { createUndiciTransport } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RealZooKeeper, startRealZooKeeper } from '../zookeeper/testing/real-zookeeper.ts';
import { MasterProcesses } from './testing/master-process.ts';

const transport = createUndiciTransport();
let masters: MasterProcesses;
let zooKeeper: RealZooKeeper;

beforeAll(async () => {
  masters = await MasterProcesses.open(transport);
  zooKeeper = await startRealZooKeeper();
}, 90_000);

afterAll(async () => {
  await masters.close();
  await transport.close();
  await zooKeeper.stop();
});

/** A master whose ZooKeeper is named by MESOS_ZK, with a credential. */
function startMaster() {
  const zk = `zk://mesos:secret@${zooKeeper.host}:${zooKeeper.port}/mesos`;
  return masters.start({ env: { MESOS_ZK: zk }, flags: ['--quorum=1'] });
}

describe('two masters', () => {
  it('hand over at once when the leader is asked to end', async () => {
    const first = await startMaster();
    await masters.answer(first.origin, 200);
    const second = await startMaster();
    const { location } = await masters.answer(second.origin, 307);
    expect(location).toBe(`//127.0.0.1:${first.port}/api/v1`);
    first.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    const { text } = await masters.answer(second.origin, 200);
    const master = JSON.parse(text).get_master.master_info;
    expect(master).toMatchObject({ port: second.port, hostname: '127.0.0.1' });
    second.kill('SIGTERM');
    await second.exited;
  }, 90_000);

  it('change places while the leader hangs, which exits when it comes back', async () => {
    const first = await startMaster();
    await masters.answer(first.origin, 200);
    const second = await startMaster();
    await masters.answer(second.origin, 307);
    first.kill('SIGSTOP');
    await masters.answer(second.origin, 200);
    first.kill('SIGCONT');
    expect(await first.exited).toBe(1);
    await masters.answer(second.origin, 200);
  }, 90_000);
});
