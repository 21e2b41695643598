import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  DESIRED_STATES,
  isStateReachable,
  isTransitionAllowed,
  stateDeadlineMs,
  VM_REASONS,
  VM_STAGES,
  VM_STATE_TABLE,
  VM_STATES,
  type VmState,
} from './vm-states.ts';
import { vmStatesDocument } from './vm-states-diagram.ts';

const transitional = VM_STATES.filter((state) => VM_STATE_TABLE[state].kind === 'transitional');

describe('the table of states', () => {
  it('is about exactly the known states, each said once', () => {
    expect(Object.keys(VM_STATE_TABLE).toSorted()).toEqual(VM_STATES.toSorted());
    expect(new Set(VM_STATES).size).toBe(VM_STATES.length);
    for (const state of VM_STATES) {
      const { next, meaning } = VM_STATE_TABLE[state];
      expect(new Set(next).size, state).toBe(next.length);
      expect(next, state).not.toContain(state);
      for (const each of next) expect(VM_STATES, state).toContain(each);
      expect(meaning, state).toMatch(/^[A-Z].*\.$/);
    }
  });

  it.each(transitional)('has an owner, a deadline and a way out for %s', (state) => {
    const rule = VM_STATE_TABLE[state];
    if (rule.kind !== 'transitional') throw new Error('not transitional');
    expect(['api-server', 'vm-scheduler', 'vm-executor']).toContain(rule.owner);
    expect(rule.deadlineMs).toBeGreaterThan(0);
    expect(rule.deadlineMs).toBeLessThanOrEqual(30 * 60_000);
    expect(rule.next).toContain(rule.onDeadline);
    expect(stateDeadlineMs(state, 1_000)).toBe(1_000 + rule.deadlineMs);
  });

  it('lets the sweeper end in a state that may last, in a few steps', () => {
    for (const start of transitional) {
      let state: VmState = start;
      const seen = new Set<VmState>();
      for (let rule = VM_STATE_TABLE[state]; rule.kind === 'transitional'; ) {
        expect(seen.has(state), `${start} goes in circles`).toBe(false);
        seen.add(state);
        state = rule.onDeadline;
        rule = VM_STATE_TABLE[state];
      }
      expect(VM_STATE_TABLE[state].kind).toBe('stable');
      expect(stateDeadlineMs(state, 0)).toBeUndefined();
    }
  });

  it('reaches every state from the first, and from each but the last the end', () => {
    for (const state of VM_STATES) {
      expect(isStateReachable('pending', state), `pending to ${state}`).toBe(true);
      expect(isStateReachable(state, 'deleted'), `${state} to deleted`).toBe(true);
      if (state !== 'deleted') expect(isStateReachable(state, 'unreachable'), state).toBe(true);
    }
  });

  it('ends with deleted, and nothing follows', () => {
    expect(VM_STATES.filter((state) => VM_STATE_TABLE[state].kind === 'terminal')).toEqual([
      'deleted',
    ]);
    for (const state of VM_STATES) {
      expect(isStateReachable('deleted', state)).toBe(state === 'deleted');
      expect(isTransitionAllowed(state, state)).toBe(true);
    }
    expect(isTransitionAllowed('deleted', 'running')).toBe(false);
    expect(isTransitionAllowed('running', 'scheduled')).toBe(false);
  });

  it('never takes a machine that may run back to where it could start elsewhere, but by failing', () => {
    const onHost: readonly VmState[] = [
      ...(['running', 'stopping', 'stopped', 'rebooting', 'deleting'] as const),
      ...(['suspending', 'suspended', 'resuming', 'resizing', 'rebuilding'] as const),
    ];
    for (const state of onHost) {
      const { next } = VM_STATE_TABLE[state];
      expect(next).not.toContain('pending');
      expect(next).not.toContain('scheduled');
      expect(next).not.toContain('launching');
    }
  });

  it('has stable words: wishes, reasons and stages', () => {
    expect(DESIRED_STATES).toEqual(['running', 'stopped', 'suspended', 'deleted']);
    for (const reason of VM_REASONS) expect(reason).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(new Set(VM_REASONS).size).toBe(VM_REASONS.length);
    expect(new Set(VM_STAGES).size).toBe(VM_STAGES.length);
  });

  it('is what docs/vm-states.md shows', async () => {
    const path = join(import.meta.dirname, '../../docs/vm-states.md');
    if (process.env.FACTORY_WRITE_DOCS === '1') await writeFile(path, vmStatesDocument());
    expect(await readFile(path, 'utf8')).toBe(vmStatesDocument());
  });
});
