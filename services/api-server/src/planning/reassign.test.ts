import type { NumberedCommand, VmId } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aVm } from '../testing/records.ts';
import type { VmRecord } from '../vms/store.ts';
import { decideReassignment, type Stranded } from './reassign.ts';

const CLUSTER = aVm(0).clusterId as NonNullable<VmRecord['clusterId']>;

function assignment(vm: VmRecord, more: object = {}) {
  return {
    vmId: vm.id,
    batchId: vm.batchId,
    projectId: vm.projectId,
    assignmentEpoch: vm.assignmentEpoch,
    generation: vm.generation,
    desired: vm.desired,
    timeline: {},
    spec: {} as never,
    ...more,
  };
}

function assign(seq: number, vms: readonly VmRecord[], more: object = {}): NumberedCommand {
  return { seq, command: { kind: 'assignVms', vms: vms.map((vm) => assignment(vm, more)) } };
}

function wish(seq: number, ids: readonly VmId[]): NumberedCommand {
  const changes = ids.map((vmId) => ({ vmId, generation: 2, desired: 'stopped' as const }));
  return { seq, command: { kind: 'setDesired', changes } };
}

function stranded(fields: Partial<Stranded>): Stranded {
  return {
    nowMs: 50_000,
    clusterId: CLUSTER,
    clusterName: 'idc-1',
    claimedSeq: 4,
    commands: [],
    vms: [],
    ...fields,
  };
}

describe('taking back from a silent cluster', () => {
  it('takes machines that it has not claimed, with a later epoch and a clean slate', () => {
    const vm = { ...aVm(1), assignedSeq: 5 };
    const outcome = decideReassignment(stranded({ commands: [assign(5, [vm])], vms: [vm] }));
    expect(outcome.commands).toEqual([{ seq: 5, command: { kind: 'assignVms', vms: [] } }]);
    expect(outcome.vms).toEqual([
      expect.objectContaining({
        ...{ id: vm.id, clusterId: null, assignedSeq: null, assignmentEpoch: 2, state: 'pending' },
        ...{ revision: 0, appliedGeneration: 0, hostName: null, generation: vm.generation },
        ...{ ipAddress: vm.ipAddress, macAddress: vm.macAddress },
      }),
    ]);
  });

  it('leaves what is claimed, was given before, was heard of, or is bound by volumes', () => {
    const claimed = { ...aVm(1), assignedSeq: 4 };
    const again = { ...aVm(2), assignedSeq: 5 };
    const heard = { ...aVm(3), assignedSeq: 6, revision: 7 };
    const bound = { ...aVm(4), assignedSeq: 7, volumes: [{} as never] };
    const elsewhere = { ...aVm(5), assignedSeq: 8, assignmentEpoch: 2 };
    const commands = [
      assign(5, [again], { lastHost: null }),
      assign(6, [heard]),
      assign(7, [bound]),
      assign(8, [elsewhere], { assignmentEpoch: 1 }),
    ];
    const vms = [claimed, again, heard, bound, elsewhere];
    const outcome = decideReassignment(stranded({ commands, vms }));
    expect(outcome).toEqual({ commands: [], vms: [], operationIds: [] });
  });

  it('lets those be gone that were to be deleted, and takes their wishes out of the log', () => {
    const vm = { ...aVm(1), assignedSeq: 5, desired: 'deleted' as const };
    const other = aVm(2);
    const commands = [assign(5, [vm]), wish(6, [vm.id, other.id])];
    const outcome = decideReassignment(stranded({ commands, vms: [vm] }));
    expect(outcome.vms).toEqual([
      expect.objectContaining({ state: 'deleted', clusterId: CLUSTER }),
    ]);
    expect(outcome.commands.map((each) => each.seq)).toEqual([5, 6]);
    expect(outcome.commands[1]?.command).toMatchObject({ changes: [{ vmId: other.id }] });
  });

  it('never leaves a machine that it takes in a command, nor takes one out that it leaves', () => {
    const plan = fc.record({
      claimedSeq: fc.nat(6),
      machines: fc.array(
        fc.record({
          seq: fc.integer({ min: 1, max: 6 }),
          isAgain: fc.boolean(),
          isHeard: fc.boolean(),
          isWished: fc.boolean(),
        }),
        { maxLength: 12 },
      ),
    });
    fc.assert(
      fc.property(plan, ({ claimedSeq, machines }) => {
        const vms = machines.map(({ seq, isHeard }, index) => ({
          ...aVm(index),
          assignedSeq: seq,
          revision: isHeard ? 1 : 0,
        }));
        const all = [1, 2, 3, 4, 5, 6].flatMap((seq): NumberedCommand[] => {
          const own = vms.filter((vm) => vm.assignedSeq === seq);
          const isAgain = machines.find((each) => each.seq === seq)?.isAgain === true;
          return [assign(seq, own, isAgain ? { lastHost: null } : {})];
        });
        const wished = vms.filter((_, index) => machines[index]?.isWished).map((vm) => vm.id);
        const log = [...all, wish(7, wished)].filter(({ seq }) => seq > claimedSeq);
        const input = stranded({
          claimedSeq,
          commands: log,
          vms: vms.filter((vm) => vm.assignedSeq > claimedSeq),
        });
        const outcome = decideReassignment(input);
        const taken = new Set(outcome.vms.map((vm) => String(vm.id)));
        const after = log.map(
          (each) => outcome.commands.find(({ seq }) => seq === each.seq) ?? each,
        );
        // What the cluster will be told of after all, and what is made elsewhere, never meet.
        expect(after.map((each) => each.seq)).toEqual(log.map((each) => each.seq));
        const named = after.flatMap(({ command }) =>
          command.kind === 'assignVms' ? command.vms.map((each) => String(each.vmId)) : [],
        );
        expect(named.filter((id) => taken.has(id))).toEqual([]);
        const before = log.flatMap(({ command }) =>
          command.kind === 'assignVms' ? command.vms.map((each) => String(each.vmId)) : [],
        );
        expect(before.filter((id) => !named.includes(id)).every((id) => taken.has(id))).toBe(true);
        for (const vm of outcome.vms) {
          expect(vm.assignmentEpoch).toBe(2);
          expect(input.vms.find(({ id }) => id === vm.id)?.assignedSeq).toBeGreaterThan(claimedSeq);
        }
        const again = decideReassignment({
          ...input,
          commands: after,
          vms: input.vms.filter((vm) => !taken.has(vm.id)),
        });
        expect(again).toEqual({ commands: [], vms: [], operationIds: [] });
      }),
    );
  });
});
