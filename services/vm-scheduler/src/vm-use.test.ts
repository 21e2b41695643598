import type { VmSample } from '@factory/contracts';
import { VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import type { SchedulerState } from './state.ts';
import { VmUse } from './vm-use.ts';

const sampleOf = (vmId: string, cpuPercent: number) => ({ vmId, cpuPercent }) as VmSample;

function open() {
  const clock = new VirtualClock();
  const hosts = new Map([
    ['vm_1', 'agent-1'],
    ['vm_2', 'agent-2'],
  ]);
  const vm = (vmId: string) => ({ task: { agentId: hosts.get(vmId) } });
  const use = new VmUse({ vm } as unknown as SchedulerState, clock);
  return { clock, use };
}

it('what machines use is as told last by the hosts that have them', () => {
  const { use } = open();
  use.told('agent-1', [sampleOf('vm_1', 10), sampleOf('vm_2', 99)]);
  use.told('agent-2', [sampleOf('vm_2', 20)]);
  use.told('agent-1', [sampleOf('vm_1', 11)]);
  expect(use.latest()).toEqual([sampleOf('vm_1', 11), sampleOf('vm_2', 20)]);
});

it('what machines use is forgotten when it is not told anew', async () => {
  const { use, clock } = open();
  use.told('agent-1', [sampleOf('vm_1', 10)]);
  await clock.run(50_000);
  use.told('agent-2', [sampleOf('vm_2', 20)]);
  await clock.run(20_000);
  expect(use.latest()).toEqual([sampleOf('vm_2', 20)]);
});
