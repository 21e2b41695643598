import type { VmAssignment } from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

describeOnEachStore('machines that are to be others', (test) => {
  async function withOne() {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
    const polling = cluster.exchange({}, 5_000);
    const request = { name: 'web', image: 'micro', count: 1, vcpus: 1, memoryMiB: 64 };
    await factory.caller.ok('POST', '/v1/batches', request);
    const [vm] = assignedIn(await polling);
    if (vm === undefined) throw new Error('no machine was assigned');
    const say = (fields: Parameters<typeof cluster.report>[1]) =>
      cluster.exchange({ vms: [cluster.report(vm, fields)] });
    const told = async () => (await cluster.exchange({}, 5_000)).commands[0]?.command;
    return { vm, say, told, caller: factory.caller, url: `/v1/vms/${vm.vmId}` };
  }

  const hasNow = ({ spec }: VmAssignment, changes: object = {}) => {
    const { vcpus, memoryMiB, diskGiB, image } = spec;
    return { vcpus, memoryMiB, diskGiB, image, ...changes };
  };

  it('are resized while they are off: the host is told the whole spec', async () => {
    const { vm, say, told, caller, url } = await withOne();
    await say({ state: 'running' });
    const refused = await caller.call('POST', `${url}:resize`, { vcpus: 2 });
    expect(refused.json()).toMatchObject({ status: 409, code: 'FACTORY_ERR_WRONG_STATE' });
    await say({ state: 'stopped', reason: 'GUEST_POWERED_OFF' });
    const wished = await caller.ok('POST', `${url}:resize`, { vcpus: 2, diskGiB: 30 });
    expect(wished).toMatchObject({ generation: 2, vcpus: 2, diskGiB: 30, desiredState: 'stopped' });
    const spec = { ...vm.spec, vcpus: 2, diskGiB: 30 };
    expect(await told()).toEqual({
      kind: 'setDesired',
      changes: [{ vmId: vm.vmId, generation: 2, desired: 'stopped', spec }],
    });
    await say({ state: 'stopped', generation: 2, applied: hasNow(vm, { vcpus: 2, diskGiB: 30 }) });
    expect(await caller.ok('GET', url)).toMatchObject({ vcpus: 2, appliedGeneration: 2 });
  });

  it('are what their host says that they are, when they can not be what was wished', async () => {
    const { vm, say, caller, url } = await withOne();
    await say({ state: 'stopped' });
    await caller.ok('POST', `${url}:resize`, { vcpus: 60 });
    // Of the wish before: what is wished is not taken back by it.
    await say({ state: 'stopped', generation: 1, applied: hasNow(vm) });
    expect(await caller.ok('GET', url)).toMatchObject({ vcpus: 60 });
    const why = { reason: 'NO_CAPACITY', message: 'no room' } as const;
    await say({ state: 'stopped', generation: 2, applied: hasNow(vm), ...why });
    expect(await caller.ok('GET', url)).toMatchObject({ vcpus: 1, ...why });
  });

  it('are rebuilt of an image that their cluster has', async () => {
    const { vm, say, told, caller, url } = await withOne();
    await say({ state: 'running' });
    const unknown = await caller.call('POST', `${url}:rebuild`, { image: 'nothing' });
    expect(unknown.json()).toMatchObject({ status: 422, code: 'FACTORY_ERR_UNKNOWN_IMAGE' });
    await caller.ok('POST', `${url}:rebuild`, { image: 'micro' });
    expect(await told()).toMatchObject({
      changes: [{ generation: 2, desired: 'running', spec: { image: { generation: 2 } } }],
    });
    const image = { ...vm.spec.image, generation: 2 };
    await say({ state: 'running', generation: 2, applied: hasNow(vm, { image }) });
    expect(await caller.ok('GET', url)).toMatchObject({ image: 'micro', appliedGeneration: 2 });
  });

  it('are wished on again when they could not be suspended', async () => {
    const { say, caller, url } = await withOne();
    await say({ state: 'running' });
    await caller.ok('POST', `${url}:suspend`);
    await say({ state: 'running' });
    expect(await caller.ok('GET', url)).toMatchObject({ desiredState: 'suspended' });
    await say({ state: 'running', generation: 2, reason: 'CANNOT_SUSPEND', message: 'a card' });
    expect(await caller.ok('GET', url)).toMatchObject({ desiredState: 'running' });
  });
});
