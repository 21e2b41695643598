import type { VmId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { type ApiVm, auditAlways, auditAtRest, type SchedulerVm, type World } from './audit.ts';

const vmId = `vm_${'1'.repeat(32)}` as VmId;
const vm: ApiVm = {
  id: vmId,
  desired: 'running',
  state: 'running',
  stateSinceMs: 0,
  reason: null,
  message: null,
  hostName: 'host-1',
};
const record: SchedulerVm = {
  assignment: { vmId },
  phase: 'hosted',
  hostName: 'host-1',
  boundAgentId: 'agent-1',
};
const onHost = (hostName: string, kind = 'domains') => ({
  hostName,
  resources: { [kind]: [vmId] },
});
const sound: World = { nowMs: 0, api: [vm], scheduler: [record], hosts: [onHost('host-1')] };

describe('an audit of what api-server, scheduler and hosts have', () => {
  it('finds nothing where all agree', () => {
    expect(auditAtRest(sound)).toEqual([]);
    const gone = { ...vm, state: 'deleted' as const };
    const world = {
      ...sound,
      api: [gone],
      scheduler: [{ ...record, phase: 'deleted' }],
      hosts: [],
    };
    expect(auditAtRest(world)).toEqual([]);
  });

  it.each([
    ['is in two places', { hosts: [onHost('host-1'), onHost('host-2', 'folders')] }, 'host-2'],
    ['takes too long', { api: [{ ...vm, state: 'starting' }], nowMs: 9e9 }, 'has been starting'],
    ['failed without a word', { api: [{ ...vm, state: 'failed' }] }, 'without a word'],
  ] as const)('finds at any moment a VM that %s', (_, change, words) => {
    expect(auditAlways({ ...sound, ...change }).join()).toContain(words);
  });

  it.each([
    ['a VM that no scheduler keeps', { scheduler: [], hosts: [] }, 'no scheduler keeps it'],
    [
      'a VM that is said to be elsewhere',
      { api: [{ ...vm, hostName: 'host-9' }] },
      'said to be on',
    ],
    ['a VM that nobody wishes', { api: [] }, 'nobody wishes it'],
    ['a resource on another host than its VM', { hosts: [onHost('host-2', 'cards')] }, 'has cards'],
    ['a resource of no VM', { api: [], scheduler: [] }, 'which is unknown'],
    [
      'a resource of a VM that is bound to no host',
      { scheduler: [{ ...record, boundAgentId: null }] },
      'has domains',
    ],
  ] as const)('finds at rest %s', (_, change, words) => {
    expect(auditAtRest({ ...sound, ...change }).join()).toContain(words);
  });
});
