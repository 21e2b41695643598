import { type ClusterId, VM_STATES, type VmId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import type { VmRecord } from '../vms/store.ts';
import { decideOperation } from './rules.ts';

const vm = {
  id: 'vm_1' as VmId,
  name: 'b-1',
  clusterId: 'clu_1' as ClusterId,
  desired: 'running',
  state: 'running',
} as VmRecord;

describe('operations', () => {
  it.each(['reboot', 'reset'] as const)('%s needs a running machine', (kind) => {
    for (const state of VM_STATES) {
      const allowed = state === 'running' ? 'allowed' : 'refused';
      expect(decideOperation({ ...vm, state }, kind).kind).toBe(allowed);
    }
  });

  it('are refused with what to do instead', () => {
    expect(decideOperation({ ...vm, state: 'stopped' }, 'reset')).toEqual({
      kind: 'refused',
      detail: 'b-1 is stopped. Only a running machine can be reset; start it first.',
    });
    expect(decideOperation({ ...vm, desired: 'stopped' }, 'reset').kind).toBe('refused');
    expect(decideOperation({ ...vm, desired: 'deleted' }, 'reset').kind).toBe('refused');
  });

  it('read the log of any machine that is not gone', () => {
    expect(decideOperation({ ...vm, desired: 'deleted', state: 'deleting' }, 'readLog').kind).toBe(
      'allowed',
    );
    expect(decideOperation({ ...vm, state: 'deleted' }, 'readLog').kind).toBe('refused');
  });
});
