import type { VmAssignment } from '@factory/contracts';
import { expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';

describeOnEachStore('what a cluster refuses', (test) => {
  /** Two machines that the cluster was given; it has spoken of the second. */
  const given = async () => {
    const { factory, clock } = test();
    const cluster = await factory.join('idc-1');
    await cluster.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
    const request = { name: 'web', image: 'micro', count: 2, memoryMiB: 64 };
    const batch = await factory.caller.ok('POST', '/v1/batches', request);
    const [unheard, known] = assignedIn(await cluster.exchange({}, 5_000));
    if (unheard === undefined || known === undefined) throw new Error('two machines are assigned');
    await cluster.exchange({ vms: [cluster.report(known)] });
    const vm = (id: string) => factory.caller.ok('GET', `/v1/vms/${id}`);
    const refuse = ({ vmId }: VmAssignment, kind: 'unknown' | 'refused', generation: number) =>
      cluster.exchange({ refusals: [{ vmId, generation, kind, message: 'spec/x: no\0.' }] });
    return { factory, cluster, batch, unheard, known, vm, refuse };
  };

  it('fails with its words, and is wished anew by a start', async () => {
    const { factory, unheard, vm, refuse } = await given();
    await refuse(unheard, 'refused', 1);
    expect(await vm(unheard.vmId)).toMatchObject({
      state: 'failed',
      reason: 'COMMAND_REFUSED',
      message: expect.stringContaining('spec/x: no.'),
    });
    await factory.caller.ok('POST', `/v1/vms/${unheard.vmId}:start`);
    const { commands } = await refuse(unheard, 'refused', 1);
    expect(commands).toMatchObject([{ command: { kind: 'setDesired' } }]);
  });

  it('is gone when it was to be deleted and the cluster never had it', async () => {
    const { factory, cluster, batch, unheard, known, vm, refuse } = await given();
    await factory.caller.ok('DELETE', `/v1/batches/${batch.id}`);
    await cluster.exchange({ vms: [cluster.report(known, { state: 'deleted', generation: 2 })] });
    await refuse(unheard, 'unknown', 2);
    expect(await vm(unheard.vmId)).toMatchObject({ state: 'deleted' });
    expect(await factory.caller.ok('GET', `/v1/batches/${batch.id}`)).toMatchObject({
      state: 'deleted',
    });
  });

  it('is given again when the cluster has lost it, whatever is wished', async () => {
    const { factory, cluster, known, vm, refuse } = await given();
    await factory.caller.ok('DELETE', `/v1/vms/${known.vmId}`);
    await cluster.exchange({}, 5_000);
    await refuse(known, 'unknown', 2);
    const again = assignedIn(await cluster.exchange());
    expect(again).toMatchObject([{ vmId: known.vmId, desired: 'deleted', generation: 2 }]);
    expect(await vm(known.vmId)).toMatchObject({ state: 'running' });
  });

  it('means nothing when another cluster says it', async () => {
    const { factory, known, vm } = await given();
    const other = await factory.join('idc-2');
    const { vmId } = known;
    await other.exchange({ refusals: [{ vmId, generation: 1, kind: 'refused', message: '' }] });
    expect(await vm(vmId)).toMatchObject({ state: 'running' });
  });

  it('goes to another cluster, which the refusing one is not asked instead of', async () => {
    const { factory, cluster, unheard, vm, refuse } = await given();
    const { clock } = test();
    const other = await factory.join('idc-2');
    await other.exchange({ capacity: capacityOf(clock, 2, { vcpus: 64, memoryMiB: 65_536 }) });
    await refuse(unheard, 'refused', 1);
    const [there] = assignedIn(await other.exchange({}, 5_000));
    expect(there).toMatchObject({ vmId: unheard.vmId, assignmentEpoch: 2 });
    expect(await vm(unheard.vmId)).toMatchObject({ clusterId: other.clusterId });
    if (there === undefined) throw new Error('it was assigned');
    // There is no third one.
    const refusal = { vmId: there.vmId, generation: 1, kind: 'refused' as const, message: 'nor I' };
    await other.exchange({ refusals: [refusal] });
    expect(await vm(there.vmId)).toMatchObject({ state: 'failed', reason: 'COMMAND_REFUSED' });
    expect(assignedIn(await cluster.exchange())).toEqual([]);
  });
});
