import type { ClusterId } from '@factory/contracts';
import { silentLogger, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { assignedIn } from '../testing/factory.ts';
import { aVm } from '../testing/records.ts';
import { aSnapshot, machines } from '../testing/snapshots.ts';
import { chooseWithdrawn } from './withdraw.ts';
import { WithdrawService } from './withdraw-service.ts';

describe('asking full clusters for machines', () => {
  const stuck = Array.from({ length: 12 }, (_, index) => ({ ...aVm(index), reason: null }));

  it('asks for as many as others have room for, and for none that must stay', () => {
    const snapshot = aSnapshot(machines(12));
    expect(chooseWithdrawn(snapshot, stuck)).toHaveLength(8);
    const there = stuck.map((vm) => ({ ...vm, clusterId: 'clu_a' as ClusterId }));
    expect(chooseWithdrawn(snapshot, there)).toEqual([]);
    const bound = stuck.map((vm) => ({ ...vm, volumes: [{} as never] }));
    expect(chooseWithdrawn(snapshot, bound)).toEqual([]);
    const wishes = { group: { id: 'x', rule: 'anti-affinity' as const } };
    expect(chooseWithdrawn(aSnapshot(machines(12), {}, { wishes }), stuck)).toEqual([]);
  });
});

describeOnEachStore('a cluster that is full', (test) => {
  it('gives machines back that it never placed, and others get them', async () => {
    const { factory, clock } = test();
    const capacity = (hosts: number) => capacityOf(clock, hosts, { vcpus: 8, memoryMiB: 65_536 });
    const first = await factory.join('idc-1');
    await first.openSession({ features: ['withdrawVms'] });
    await first.exchange({ capacity: capacity(2) });
    const ask = { name: 'web', image: 'micro', count: 4, memoryMiB: 64 };
    const batch = await factory.caller.ok('POST', '/v1/batches', ask);
    const vms = assignedIn(await first.exchange({}, 5_000));
    const waits = {
      state: 'scheduled',
      reason: 'NO_CAPACITY',
      message: 'no host has room',
    } as const;
    const nowhere = { ...waits, hostName: null, guestReady: false, timeline: {} };
    await first.exchange({ vms: vms.map((vm) => first.report(vm, nowhere)) });
    const second = await factory.join('idc-2');
    clock.shift(31_000);
    await first.exchange();
    await second.exchange({ capacity: capacity(1) });
    await new WithdrawService({ store: factory.store, logger: silentLogger }).sweep(clock.nowMs());
    const { commands } = await first.exchange({}, 5_000);
    const asked = vms.map(({ vmId }) => ({ vmId, assignmentEpoch: 1 }));
    expect(commands.map(({ command }) => command)).toContainEqual({
      ...{ kind: 'withdrawVms', vms: expect.arrayContaining(asked) },
    });
    const [kept, ...given] = vms;
    if (kept === undefined) throw new Error('four were assigned');
    const back = { ...nowhere, state: 'deleted', reason: 'WITHDRAWN', message: null } as const;
    await first.exchange({
      vms: [first.report(kept), ...given.map((vm) => first.report(vm, back))],
    });
    const moved = assignedIn(await second.exchange({}, 8_000));
    expect(moved.map((vm) => [vm.vmId, vm.assignmentEpoch])).toEqual(
      expect.arrayContaining(given.map((vm) => [vm.vmId, 2])),
    );
    await second.exchange({ vms: moved.map((vm) => second.report(vm)) });
    await waitFor(clock, 'all machines', 5_000, async () => {
      const { vmCounts } = await factory.caller.ok('GET', `/v1/batches/${batch.id}`);
      return vmCounts.running === 4 ? true : undefined;
    });
  });
});
