import { VM_STATES, type VmObservation } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextAction } from './next-action.ts';
import { applyTaskStatus } from './task-status.ts';
import { launchedRecord, sampleAssignment, sampleObservation } from './testing/samples.ts';
import {
  applyAssignment,
  applyDesired,
  applyLaunch,
  applyObservation,
  applyRemoval,
  applySilence,
  applyWithdrawal,
  currentTaskId,
  newVmRecord,
  shownState,
  toPhase,
  toReport,
  type VmRecord,
} from './vm-record.ts';

const hosted = (changes: Partial<VmObservation> = {}): VmRecord =>
  applyObservation(launchedRecord(), sampleObservation(1, changes), 20);

describe("a VM's record", () => {
  it('follows a VM from its assignment to running', () => {
    const waiting = newVmRecord(sampleAssignment(), 5);
    const launching = launchedRecord();
    const running = hosted();
    expect([waiting, launching, running].map(shownState)).toEqual([
      'scheduled',
      'launching',
      'running',
    ]);
    expect(currentTaskId(launching)).toBe(`${launching.assignment.vmId}.1`);
    expect(toReport(running)).toMatchObject({
      state: 'running',
      stateSinceMs: 5_000,
      generation: 1,
      hostName: 'host-1',
      timeline: { accepted: 1, planned: 2, offered: 10, launched: 10, started: 5_000 },
    });
  });

  it('takes words of the executor once, in order, and only while it has a task', () => {
    const running = hosted();
    expect(applyObservation(running, sampleObservation(1), 30)).toBe(running);
    const older = sampleObservation(1, { seq: 999, state: 'starting' });
    expect(applyObservation(running, older, 30)).toBe(running);
    const newer = sampleObservation(1, { seq: 1_001, state: 'stopped' });
    expect(shownState(applyObservation(running, newer, 30))).toBe('stopped');
    const waiting = newVmRecord(sampleAssignment(), 5);
    expect(applyObservation(waiting, sampleObservation(1), 30)).toBe(waiting);
  });

  it('shows silence as unreachable, and ends it with the next word, even a repeated one', () => {
    const lost = applySilence(hosted(), 'EXECUTOR_LOST', 'silent', 50);
    expect(toReport(lost)).toMatchObject({ state: 'unreachable', reason: 'EXECUTOR_LOST' });
    const back = applyObservation(lost, sampleObservation(1), 60);
    expect(toReport(back)).toMatchObject({ state: 'running', reason: null, message: null });
  });

  it('is deleted by the word of its executor when that was wished', () => {
    const wished = applyDesired(hosted(), desired(2, 'deleted'), 30);
    const gone = applyObservation(wished, sampleObservation(1, { seq: 2e3, state: 'deleted' }), 40);
    expect(gone).toMatchObject({ phase: 'deleted', task: null, boundAgentId: null });
  });

  it('has failed, and is not deleted, when it goes away without a wish', () => {
    const gone = applyObservation(
      hosted(),
      sampleObservation(1, { seq: 2e3, state: 'deleted' }),
      40,
    );
    expect(shownState(gone)).toBe('failed');
    expect(gone.task).not.toBeNull();
  });

  it('takes only newer wishes', () => {
    const running = hosted();
    expect(applyDesired(running, desired(1, 'deleted'), 30)).toBe(running);
    expect(applyDesired(running, desired(2, 'stopped'), 30).assignment.desired).toBe('stopped');
  });

  it('tries a failed VM again when it is started, as new where nothing was left of it', () => {
    const failed = applyTaskStatus(hosted({ state: 'preparing' }), ended('IMAGE_MISSING: no'), 30);
    const again = applyDesired(failed, desired(2, 'running'), 40);
    expect(again).toMatchObject({ phase: 'waiting', observation: null, reason: null });
    expect(shownState(again)).toBe('scheduled');
    const assigned = applyAssignment(failed, sampleAssignment(1, { assignmentEpoch: 2 }), 40);
    expect(assigned.phase).toBe('waiting');
  });

  it('shows a failed VM that is to be deleted as failed until it is gone', () => {
    const failed = toPhase({ ...launchedRecord(), task: null, boundAgentId: null }, 'failed', 20);
    const wished = applyDesired(failed, desired(2, 'deleted'), 30);
    expect(shownState(wished)).toBe('failed');
    expect(nextAction(wished)).toEqual({ type: 'markDeleted' });
  });

  it('takes newer assignments, and nothing from older or repeated ones', () => {
    const record = applyAssignment(hosted(), sampleAssignment(1, { assignmentEpoch: 2 }), 30);
    expect(record.assignment.assignmentEpoch).toBe(2);
    expect(applyAssignment(record, sampleAssignment(1), 40)).toBe(record);
    const same = sampleAssignment(1, { assignmentEpoch: 2 });
    expect(applyAssignment(record, same, 40)).toBe(record);
    const older = sampleAssignment(1, { assignmentEpoch: 3, generation: 0 });
    expect(applyAssignment(record, older, 40)).toBe(record);
    // Of a life that is over the next one's count of wishes knows nothing.
    const gone = applyRemoval(launchedRecord(1, { generation: 5 }), 30);
    const back = sampleAssignment(1, { assignmentEpoch: 2, generation: 2 });
    expect(applyAssignment(gone, back, 40)).toMatchObject({ phase: 'waiting' });
  });

  it('is given up when it never had a host, and only then', () => {
    const waiting = newVmRecord(sampleAssignment(1), 10);
    const given = applyWithdrawal(waiting, 1, 20);
    expect(toReport(given)).toMatchObject({ state: 'deleted', reason: 'WITHDRAWN' });
    expect(nextAction(given)).toEqual({ type: 'none' });
    expect(applyWithdrawal(waiting, 2, 20)).toBe(waiting);
    const again = newVmRecord(sampleAssignment(1, { lastHost: null }), 10);
    expect(applyWithdrawal(again, 1, 20)).toBe(again);
    for (const record of [hosted(), launchedRecord()]) {
      expect(applyWithdrawal(record, 1, 30)).toBe(record);
    }
    // What was launched once may have a disk somewhere.
    const failed = toPhase({ ...launchedRecord(), task: null, boundAgentId: null }, 'waiting', 30);
    expect(applyWithdrawal(failed, 1, 40)).toBe(failed);
    const back = sampleAssignment(1, { assignmentEpoch: 3 });
    expect(applyAssignment(given, back, 50)).toMatchObject({ phase: 'waiting', reason: null });
  });

  it('takes no wish that is meant for an earlier epoch', () => {
    const record = applyAssignment(hosted(), sampleAssignment(1, { assignmentEpoch: 2 }), 30);
    const former = { ...desired(9, 'deleted'), assignmentEpoch: 1 };
    expect(applyDesired(record, former, 40)).toBe(record);
    const present = { ...desired(9, 'deleted'), assignmentEpoch: 2 };
    expect(applyDesired(record, present, 40).assignment.desired).toBe('deleted');
  });

  it('starts over when it was deleted here and comes back, with task ids of its own', () => {
    const gone = applyRemoval(launchedRecord(1, { generation: 2 }), 30);
    expect(applyAssignment(gone, sampleAssignment(1, { generation: 3 }), 40).phase).toBe('deleted');
    const back = sampleAssignment(1, { generation: 3, assignmentEpoch: 2 });
    const again = applyAssignment(gone, back, 40);
    expect(again).toMatchObject({ phase: 'waiting', attempts: 1, boundAgentId: null });
    const launched = applyLaunch(again, { agentId: 'agent-2', hostName: 'host-2' }, 50);
    expect(currentTaskId(launched)).toBe(`${back.vmId}.2`);
  });

  it('never lets late and repeated words decide: any order ends in the newest one', () => {
    const seqs = fc.shuffledSubarray([1_000, 1_001, 1_002, 1_003], { minLength: 1 });
    const states = fc.constantFrom(...VM_STATES.filter((state) => state !== 'deleted'));
    fc.assert(
      fc.property(seqs, fc.array(states, { minLength: 4, maxLength: 4 }), (order, words) => {
        const end = order.reduce(
          (record, seq) =>
            applyObservation(
              record,
              sampleObservation(1, { seq, state: words[seq - 1_000] ?? 'running' }),
              20,
            ),
          launchedRecord(),
        );
        expect(end.observation?.seq).toBe(Math.max(...order));
        expect(end.observation?.state).toBe(words[Math.max(...order) - 1_000]);
      }),
    );
  });
});

function desired(generation: number, wish: 'running' | 'stopped' | 'deleted') {
  return { vmId: sampleAssignment().vmId, generation, desired: wish };
}

function ended(message: string) {
  return { state: 'TASK_FAILED', source: 'SOURCE_EXECUTOR', reason: undefined, message };
}
