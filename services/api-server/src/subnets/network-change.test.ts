import type { ClusterId, DesiredState, VmState } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import type { VmRecord } from '../vms/store.ts';
import { isToldAtOnce } from './network-change.ts';

const vm = { clusterId: 'clu_1' as ClusterId, generation: 3, appliedGeneration: 3 } as VmRecord;

describe('a change of networks', () => {
  const cases: readonly [DesiredState, VmState, boolean][] = [
    ['running', 'running', true],
    ['running', 'scheduled', true],
    ['running', 'preparing', true],
    ['running', 'rebooting', true],
    ['running', 'unreachable', true],
    ['running', 'stopped', false],
    ['running', 'suspended', false],
    ['running', 'failed', false],
    ['stopped', 'stopped', true],
    ['stopped', 'running', false],
    ['suspended', 'suspended', true],
    ['deleted', 'running', false],
    ['deleted', 'deleting', false],
  ];
  it.each(cases)('of one wished %s that is %s: told now: %s', (desired, state, isTold) => {
    expect(isToldAtOnce({ ...vm, desired, state })).toBe(isTold);
  });

  it('goes after the wish that is under way, and to nobody without a cluster', () => {
    const starting = { ...vm, desired: 'running', state: 'stopped', generation: 4 } as const;
    expect(isToldAtOnce(starting)).toBe(true);
    expect(isToldAtOnce({ ...starting, state: 'failed' })).toBe(false);
    expect(isToldAtOnce({ ...starting, clusterId: null })).toBe(false);
  });
});
