import type { VmHardware } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { problemsOf } from '../hypervisor/domain-xml/check.ts';
import { testTask } from '../testing.ts';
import { domainPlan, seedOf } from './planned.ts';
import { newRecord, type VmRecord } from './record.ts';

const paths = {
  diskPath: '/o/vm/disk.qcow2',
  seedPath: '/o/vm/seed.iso',
  consolePath: '/c/vm.log',
};

function recordOf(hardware?: VmHardware): VmRecord {
  const record = newRecord(testTask(1), 0);
  return { ...record, spec: { ...record.spec, ...(hardware && { hardware }) } };
}

describe('the domain of a record', () => {
  it("has the spec's size and card, the VM's files, a screen and the agent's channel", () => {
    const { spec, vmId } = recordOf();
    expect(domainPlan(recordOf(), paths)).toEqual({
      ...{ vmId, generation: 1, vcpus: spec.vcpus, memoryMiB: spec.memoryMiB },
      subnetId: spec.network.subnetId,
      macAddress: spec.network.macAddress,
      ...paths,
      ...{ hasScreen: true, hasAgentChannel: true },
    });
  });

  it.each<VmHardware>([
    { firmware: 'uefi-secure', os: 'windows', tpm: true },
    { firmware: 'bios', os: 'windows', devices: 'emulated' },
    { firmware: 'uefi', cpu: { model: 'host', numaNodes: 1 } },
  ])('is possible with %j', (hardware) => {
    expect(problemsOf(domainPlan(recordOf(hardware), paths))).toEqual([]);
  });

  it("keeps UEFI's variables in the VM's folder", () => {
    expect(domainPlan(recordOf({ firmware: 'uefi' }), paths).nvramPath).toBe('/o/vm/nvram.fd');
    expect(domainPlan(recordOf({ firmware: 'bios' }), paths).nvramPath).toBeUndefined();
  });
});

describe('the seed of a record', () => {
  it('is NoCloud, and a config drive for Windows', () => {
    expect(seedOf(recordOf()).form).toBeUndefined();
    expect(seedOf(recordOf({ os: 'windows' })).form).toBe('config-drive');
  });
});
