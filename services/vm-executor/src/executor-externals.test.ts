import type { VmTaskData } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { TestHost, testTask, testVmId } from './testing.ts';

const ATTRIBUTE = { name: 'external_addresses', type: 'text', text: '192.0.2.16/31' } as const;

const FULL = 'NO_CAPACITY: All 2 external addresses of its host are in use.';

/** A VM in a subnet with egress, with an external address or without. */
function taskOf(number: number, externalAddress: boolean, generation = 1): VmTaskData {
  const task = testTask(number, { generation });
  const network = { ...task.spec.network, egress: 'nat' as const };
  return { ...task, spec: { ...task.spec, network, externalAddress } };
}

async function started(): Promise<TestHost> {
  const test = new TestHost({ attributes: [ATTRIBUTE] });
  await test.start();
  return test;
}

const held = async (test: TestHost): Promise<readonly string[]> => {
  const work = test.host.network.externalAddresses(new AbortController().signal);
  await test.run(1_000);
  return (await work).toSorted();
};
const told = (test: TestHost, number: number) => test.link.latest(testVmId(number));

function change(test: TestHost, task: VmTaskData): void {
  const { vmId, generation, desired, spec } = task;
  test.link.say({ type: 'setDesired', changes: [{ vmId, generation, desired, spec }] });
}

describe('the external addresses of a host', () => {
  it('go to a VM each, are told of, and are free again when it is deleted', async () => {
    const test = await started();
    const taskIds = [1, 2, 3].map((number) => test.launch(taskOf(number, true)));
    await test.run(90_000);
    const states = [1, 2, 3].map((number) => told(test, number));
    const running = states.filter((each) => each?.state === 'running');
    const addresses = running.map((each) => each?.externalAddress ?? '').sort();
    expect(addresses).toEqual(['192.0.2.16', '192.0.2.17']);
    // The third goes back to the scheduler, which knows of other hosts.
    const ends = test.link.updates.filter(({ state }) => state === 'TASK_FAILED');
    expect(ends).toEqual([
      { taskId: expect.toBeOneOf(taskIds), state: 'TASK_FAILED', message: FULL },
    ]);
    expect(await held(test)).toEqual(addresses);
    for (const [index, each] of states.entries())
      if (each?.state === 'running') test.wish(testVmId(index + 1), 2, 'deleted');
    await test.run(20_000);
    expect(await held(test)).toEqual([]);
  });

  it('stay with their VMs over the end of an executor and of the host', async () => {
    const test = await started();
    for (const number of [1, 2]) test.launch(taskOf(number, true));
    await test.run(20_000);
    const before = [1, 2].map((number) => told(test, number)?.externalAddress);
    test.host.network.clear();
    await test.killExecutor();
    // The other one is asked for first: what is written down counts, not what is plugged.
    const taskId = test.launch(taskOf(3, true));
    await test.run(20_000);
    expect(test.link.updates.at(-1)).toEqual({ taskId, state: 'TASK_FAILED', message: FULL });
    for (const number of [2, 1]) test.launch(taskOf(number, true), 2);
    await test.run(20_000);
    expect([1, 2].map((number) => told(test, number)?.externalAddress)).toEqual(before);
    expect(await held(test)).toEqual(before.toSorted());
  });

  it('come to a VM that runs, or is off, and leave it, without its restart', async () => {
    const test = await started();
    test.launch(taskOf(1, false));
    await test.run(10_000);
    expect(told(test, 1)?.externalAddress).toBeUndefined();
    const boots = test.host.domains.get(testVmId(1));
    change(test, taskOf(1, true, 2));
    await test.run(10_000);
    expect(told(test, 1)).toMatchObject({ state: 'running', externalAddress: '192.0.2.16' });
    expect(await held(test)).toEqual(['192.0.2.16']);
    change(test, taskOf(1, false, 3));
    await test.run(10_000);
    expect(told(test, 1)?.externalAddress).toBeUndefined();
    expect(await held(test)).toEqual([]);
    expect(test.host.domains.get(testVmId(1))).toBe(boots);

    test.wish(testVmId(1), 4, 'stopped');
    await test.run(40_000);
    change(test, { ...taskOf(1, true, 5), desired: 'stopped' });
    await test.run(10_000);
    expect(told(test, 1)).toMatchObject({ state: 'stopped', externalAddress: '192.0.2.16' });
  });

  it('are refused to a VM that runs when none is left; it runs on, and follows the rest', async () => {
    const test = await started();
    for (const number of [1, 2]) test.launch(taskOf(number, true));
    test.launch(taskOf(3, false));
    await test.run(20_000);
    const task = taskOf(3, true, 2);
    const rules = [{ direction: 'in', protocol: 'icmp', action: 'drop' }] as const;
    const network = { ...task.spec.network, securityRules: [...rules] };
    change(test, { ...task, spec: { ...task.spec, network } });
    await test.run(10_000);
    expect(told(test, 3)).toMatchObject({
      state: 'running',
      generation: 2,
      reason: 'NO_CAPACITY',
      message: 'All 2 external addresses of its host are in use.',
    });
    expect(test.host.network.rulesOf({ vmId: testVmId(3), ...network })).toEqual(rules);
  });
});
