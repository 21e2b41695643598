import { type ClusterId, VM_STATES, type VmId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { decideRebuild, decideResize } from './spec-wishes.ts';
import type { VmRecord } from './store.ts';

const vm = {
  id: 'vm_1' as VmId,
  name: 'b-1',
  clusterId: 'clu_1' as ClusterId,
  desired: 'stopped',
  generation: 3,
  appliedGeneration: 3,
  state: 'stopped',
  image: 'micro',
  imageVersion: null,
  imageGeneration: 0,
  vcpus: 1,
  memoryMiB: 128,
  diskGiB: 2,
} as VmRecord;

describe('a wish for another size', () => {
  it('changes what is named, and tells the cluster', () => {
    expect(decideResize(vm, { vcpus: 4 })).toMatchObject({
      kind: 'changed',
      hasNewSpec: true,
      vm: { vcpus: 4, memoryMiB: 128, diskGiB: 2, generation: 4, desired: 'stopped' },
    });
  });

  it('leaves a machine off that powered itself off', () => {
    const off = { ...vm, desired: 'running' } as const;
    expect(decideResize(off, { vcpus: 4 })).toMatchObject({ vm: { desired: 'stopped' } });
    const wish = { image: 'micro', imageVersion: null };
    expect(decideRebuild(off, wish)).toMatchObject({ vm: { desired: 'stopped' } });
  });

  it('changes nothing when that is its size', () => {
    expect(decideResize(vm, { vcpus: 1, diskGiB: 2 })).toEqual({ kind: 'unchanged' });
  });

  it('is refused for a smaller disk, and for a machine that is about to change', () => {
    expect(decideResize(vm, { diskGiB: 1 })).toMatchObject({
      detail: expect.stringMatching('2 GiB'),
    });
    expect(decideResize({ ...vm, generation: 4 }, { vcpus: 2 }).kind).toBe('refused');
  });

  it('is refused for all but a stopped machine, saying what to do', () => {
    for (const state of VM_STATES.filter((each) => each !== 'stopped')) {
      expect(decideResize({ ...vm, state }, { vcpus: 2 })).toMatchObject({
        kind: 'refused',
        detail: expect.stringMatching('stop it first'),
      });
    }
  });
});

describe('a wish for a new disk', () => {
  const wish = { image: 'debian-12', imageVersion: 'a'.repeat(64) };

  it.each(['running', 'stopped', 'failed'] as const)('is taken of a %s machine', (state) => {
    expect(decideRebuild({ ...vm, state }, wish)).toMatchObject({
      kind: 'changed',
      hasNewSpec: true,
      vm: { ...wish, imageGeneration: 4, generation: 4 },
    });
  });

  it('is taken again for the same image: its disk is made anew', () => {
    const again = { image: 'micro', imageVersion: null };
    expect(decideRebuild(vm, again)).toMatchObject({ vm: { imageGeneration: 4 } });
  });

  it('is refused for a machine whose memory is kept, or that is going', () => {
    expect(decideRebuild({ ...vm, state: 'suspended' }, wish).kind).toBe('refused');
    expect(decideRebuild({ ...vm, desired: 'deleted' }, wish).kind).toBe('refused');
    expect(decideRebuild({ ...vm, clusterId: null }, wish).kind).toBe('refused');
  });
});
