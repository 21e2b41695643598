import { type ClusterId, VM_STATES, type VmId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import type { VmRecord } from './store.ts';
import { decideWish, type Wish } from './wishes.ts';

const vm = {
  id: 'vm_1' as VmId,
  name: 'b-1',
  clusterId: 'clu_1' as ClusterId,
  desired: 'running',
  generation: 3,
  appliedGeneration: 3,
  state: 'running',
  stateSinceMs: 0,
} as VmRecord;

describe('wishes', () => {
  it.each([
    ['start', 'stopped', 'running'],
    ['start', 'failed', 'running'],
    ['stop', 'running', 'stopped'],
    ['stop', 'unreachable', 'stopped'],
    ['suspend', 'running', 'suspended'],
    ['resume', 'suspended', 'running'],
    ['start', 'suspended', 'running'],
    ['stop', 'suspended', 'stopped'],
    ['stop', 'failed', 'stopped'],
    ['delete', 'running', 'deleted'],
    ['delete', 'preparing', 'deleted'],
  ] as const)('%s a %s machine', (wish, state, desired) => {
    expect(decideWish({ ...vm, state }, wish, 9)).toMatchObject({
      kind: 'changed',
      vm: { desired, generation: 4, state },
    });
  });

  it('go by what was wished last of a machine whose host is silent', () => {
    const silent = { ...vm, state: 'unreachable' } as const;
    const suspended = { ...silent, desired: 'suspended' } as const;
    expect(decideWish(suspended, 'resume', 9)).toMatchObject({ kind: 'changed' });
    expect(decideWish({ ...silent, desired: 'stopped' }, 'start', 9)).toMatchObject({
      vm: { desired: 'running', generation: 4, state: 'unreachable' },
    });
    expect(decideWish({ ...silent, desired: 'stopped' }, 'resume', 9).kind).toBe('refused');
    expect(decideWish(silent, 'start', 9).kind).toBe('refused');
  });

  it('start again what powered itself off, though running is wished already', () => {
    const off = { ...vm, state: 'stopped' } as const;
    expect(decideWish(off, 'start', 9)).toMatchObject({ vm: { generation: 4 } });
  });

  it('are not doubled while the host comes to them', () => {
    const asked = { ...vm, state: 'stopped', generation: 4 } as const;
    expect(decideWish(asked, 'start', 9)).toEqual({ kind: 'unchanged' });
    expect(decideWish({ ...vm, desired: 'deleted' }, 'delete', 9)).toEqual({ kind: 'unchanged' });
  });

  it('can be repeated after a failure', () => {
    const failed = { ...vm, state: 'failed', generation: 4 } as const;
    expect(decideWish(failed, 'start', 9)).toMatchObject({ vm: { generation: 5 } });
    const stuck = { ...failed, desired: 'deleted' } as const;
    expect(decideWish(stuck, 'delete', 9)).toMatchObject({ vm: { generation: 5 } });
  });

  it.each([
    ['start', 'running'],
    ['start', 'preparing'],
    ['stop', 'stopped'],
    ['stop', 'pending'],
    ['suspend', 'stopped'],
    ['resume', 'running'],
  ] as const)('refuse to %s a %s machine, saying what to do', (wish, state) => {
    expect(decideWish({ ...vm, state }, wish, 9)).toMatchObject({
      kind: 'refused',
      detail: expect.stringMatching(new RegExp(`b-1 is ${state}\\. Only`)),
    });
  });

  it('refuse everything else for a machine that is being deleted', () => {
    for (const wish of ['start', 'stop', 'suspend', 'resume'] as const) {
      expect(decideWish({ ...vm, desired: 'deleted' }, wish, 9).kind).toBe('refused');
    }
  });

  it('move a machine at once that no cluster has', () => {
    const waiting = { ...vm, clusterId: null, state: 'pending', appliedGeneration: 0 } as const;
    expect(decideWish({ ...waiting, generation: 1 }, 'delete', 9)).toMatchObject({
      vm: { state: 'deleted', stateSinceMs: 9 },
    });
    const failed = { ...waiting, state: 'failed' } as const;
    expect(decideWish(failed, 'start', 9)).toMatchObject({ vm: { state: 'pending' } });
  });

  it('have an answer for every state', () => {
    for (const state of VM_STATES) {
      for (const wish of ['start', 'stop', 'suspend', 'resume', 'delete'] satisfies Wish[]) {
        expect(['changed', 'refused', 'unchanged']).toContain(
          decideWish({ ...vm, state }, wish, 9).kind,
        );
      }
    }
  });
});
