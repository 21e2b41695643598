import type { VmNetwork, VmTaskData } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { testNic, testSubnet } from './network/testing.ts';
import { TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const TUNNEL = '192.0.2.1';

async function started(): Promise<TestHost> {
  const test = new TestHost({ tunnelAddress: TUNNEL });
  await test.start();
  return test;
}

/** A VM with a card in each of two subnets. */
function taskWithTwoCards(): VmTaskData {
  const task = testTask(1);
  const { subnetId } = testSubnet(2);
  const second: VmNetwork = { ...task.spec.network, subnetId, macAddress: '52:54:00:00:02:01' };
  return { ...task, spec: { ...task.spec, nics: [second] } };
}

const tapsOf = (test: TestHost): readonly string[] =>
  test.host.network.cards().map(({ tapName }) => tapName);

describe('the cards of a VM', () => {
  it('are plugged before its domain is told of them, each into its subnet', async () => {
    const test = await started();
    test.launch(taskWithTwoCards());
    await test.run(10_000);
    expect(test.link.latest(vmId)?.state).toBe('running');
    const { tapName, nics = [] } = test.host.domains.get(vmId)?.plan ?? {};
    expect(new Set([tapName, ...nics.map((nic) => nic.tapName)])).toEqual(new Set(tapsOf(test)));
    expect(test.host.network.subnetIds()).toHaveLength(2);
  });

  it('stay while it is off, and take their subnets with them when it is deleted', async () => {
    const test = await started();
    test.launch(taskWithTwoCards());
    await test.run(10_000);
    const taps = tapsOf(test);
    test.wish(vmId, 2, 'stopped');
    await test.run(10_000);
    expect(tapsOf(test)).toEqual(taps);
    test.wish(vmId, 3, 'deleted');
    await test.run(10_000);
    expect([...tapsOf(test), ...test.host.network.subnetIds()]).toEqual([]);
  });

  it('are plugged in again when the host has lost them, by the executor that adopts it', async () => {
    const test = await started();
    test.launch(testTask(1));
    await test.run(10_000);
    const taps = tapsOf(test);
    test.host.network.clear();
    await test.killExecutor();
    test.launch(testTask(1), 2);
    await test.run(10_000);
    expect(tapsOf(test)).toEqual(taps);
  });

  it('without a task are told of and left; subnets without cards are removed', async () => {
    const test = await started();
    const signal = new AbortController().signal;
    const work = Promise.all([
      test.host.network.plug(testSubnet(1), testNic(testSubnet(1), 7), signal),
      test.host.network.ensureSubnet(testSubnet(2), signal),
    ]);
    await test.run(1_000);
    await work;
    await test.run(130_000);
    const orphan = { vmId: testNic(testSubnet(1), 7).vmId, hasDomain: false, hasCards: true };
    expect(test.link.messages.findLast(({ full }) => full)?.orphans).toMatchObject([orphan]);
    expect(test.host.network.subnetIds()).toEqual([testSubnet(1).subnetId]);
  });
});

describe('the other hosts of a subnet', () => {
  it('are told to the network, and said to be known', async () => {
    const test = await started();
    test.launch(testTask(1));
    await test.run(10_000);
    const { subnetId } = testTask(1).spec.network;
    const peers = [{ tunnelAddress: '192.0.2.2', nics: [] }];
    test.link.say({ type: 'peers', epoch: 4, digest: 'abc', subnets: [{ subnetId, peers }] });
    await test.run(10_000);
    expect(test.host.network.peersOf(subnetId)?.peers).toEqual(peers);
    expect(test.link.messages.at(-1)?.tunnel).toMatchObject({
      ...{ address: TUNNEL, epoch: 4, digest: 'abc' },
    });
  });
});
