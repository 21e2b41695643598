import { describe, expect, it } from 'vitest';
import { nextAction } from './next-action.ts';
import { applyTaskStatus, isAlive, isDoubtful, type TaskStatusFacts } from './task-status.ts';
import { launchedRecord, sampleObservation } from './testing/samples.ts';
import { applyObservation, applySilence, shownState, type VmRecord } from './vm-record.ts';

const launching = launchedRecord();
const running = applyObservation(launching, sampleObservation(), 20);
const unwanted: VmRecord = {
  ...running,
  assignment: { ...running.assignment, generation: 2, desired: 'deleted' },
};

function apply(record: VmRecord, state: string, more: Partial<TaskStatusFacts> = {}): VmRecord {
  const facts = { state, source: 'SOURCE_EXECUTOR', reason: undefined, message: undefined };
  return applyTaskStatus(record, { ...facts, ...more }, 100);
}

const byAgent = { source: 'SOURCE_AGENT', reason: 'REASON_EXECUTOR_TERMINATED' };
const answer = { source: 'SOURCE_MASTER', reason: 'REASON_RECONCILIATION' };

describe('a status of the current task', () => {
  it.each(['TASK_STAGING', 'TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING', 'TASK_NEWLY_INVENTED'])(
    'changes nothing while it lives: %s',
    (state) => {
      expect(apply(running, state)).toBe(running);
      expect(isAlive(state)).toBe(true);
    },
  );

  it.each(['TASK_FAILED', 'TASK_LOST', 'TASK_GONE', 'TASK_KILLED'])(
    'launches again on the same agent what ended without its executor (%s)',
    (state) => {
      const record = apply(running, state, byAgent);
      expect(record).toMatchObject({
        phase: 'waiting',
        task: null,
        boundAgentId: 'agent-1',
        reason: 'EXECUTOR_LOST',
      });
      expect(shownState(record)).toBe('unreachable');
      expect(nextAction(record)).toEqual({ type: 'launch', notBeforeMs: 100 });
    },
  );

  it('slows down launches that come to nothing, up to a minute', () => {
    let record = launching;
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt += 1) {
      record = apply({ ...record, phase: 'launching' }, 'TASK_FAILED', byAgent);
      const action = nextAction(record);
      delays.push(action.type === 'launch' ? action.notBeforeMs - record.phaseSinceMs : -1);
    }
    expect(delays).toEqual([1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 60e3, 60e3, 60e3]);
  });

  it("takes the executor's reason from its status, which comes before its last observation", () => {
    const record = apply(running, 'TASK_FAILED', { message: 'IMAGE_MISSING: no image micro' });
    expect(record).toMatchObject({
      phase: 'failed',
      boundAgentId: null,
      reason: 'IMAGE_MISSING',
      message: 'no image micro',
    });
    const held = { message: "GPU_UNAVAILABLE: 0 of this host's 2 graphics cards are free" };
    const sentBack = apply({ ...running, attempts: 3 }, 'TASK_FAILED', held);
    expect(apply(unwanted, 'TASK_FAILED', held).phase).toBe('deleted');
    // Another host may have what this one could not give, and nothing is left here.
    expect(sentBack).toMatchObject({ phase: 'waiting', reason: 'GPU_UNAVAILABLE', task: null });
    expect(sentBack).toMatchObject({ boundAgentId: null, observation: null, failedLaunches: 3 });
    expect(apply(launching, 'TASK_FAILED', { message: 'something' }).reason).toBe(
      'HYPERVISOR_ERROR',
    );
  });

  it('stays bound to the host that refused a later launch', () => {
    const refused = { message: 'LAUNCH_REFUSED: assignment 3 is newer' };
    const record = apply(running, 'TASK_FAILED', refused);
    expect(record).toMatchObject({ phase: 'failed', boundAgentId: 'agent-1' });
    expect(apply(launching, 'TASK_FAILED', refused).boundAgentId).toBeNull();
  });

  it.each(['TASK_KILLED', 'TASK_FINISHED'])('ends a VM as wished (%s)', (state) => {
    expect(apply(unwanted, state)).toMatchObject({ phase: 'deleted', task: null, reason: null });
  });

  it('says so when someone else killed the task, and keeps to the host unless all is gone', () => {
    const record = apply(running, 'TASK_KILLED');
    expect(record).toMatchObject({
      phase: 'failed',
      reason: 'KILLED_FROM_OUTSIDE',
      boundAgentId: 'agent-1',
    });
    const word = sampleObservation(1, { seq: 2_000, state: 'deleted' });
    const gone = apply(applyObservation(running, word, 30), 'TASK_KILLED');
    expect(gone).toMatchObject({ phase: 'failed', boundAgentId: null });
  });

  it('launches anew on its host what was let go before it heard that it is to be deleted', () => {
    const message = 'RELEASED: its disk is kept';
    expect(apply(unwanted, 'TASK_KILLED', { message })).toMatchObject({
      phase: 'waiting',
      task: null,
      boundAgentId: 'agent-1',
    });
    expect(apply(running, 'TASK_KILLED', { message })).toMatchObject({
      phase: 'failed',
      reason: 'KILLED_FROM_OUTSIDE',
      boundAgentId: 'agent-1',
    });
  });

  it('lets a VM that never ran go anywhere, but not one that may have', () => {
    const dropped = { source: 'SOURCE_MASTER', reason: 'REASON_AGENT_REMOVED' };
    expect(apply(launching, 'TASK_DROPPED', dropped)).toMatchObject({
      phase: 'waiting',
      boundAgentId: null,
      reason: 'LAUNCH_REFUSED',
    });
    const second = { ...launching, attempts: 2 };
    expect(apply(second, 'TASK_DROPPED', dropped).boundAgentId).toBe('agent-1');
    expect(apply(running, 'TASK_DROPPED', dropped).boundAgentId).toBe('agent-1');
    const early = { source: 'SOURCE_AGENT', reason: 'REASON_TASK_KILLED_DURING_LAUNCH' };
    const wished = { ...launching, assignment: unwanted.assignment };
    const killed = apply(wished, 'TASK_KILLED', early);
    expect(nextAction(killed)).toEqual({ type: 'markDeleted' });
  });

  it('fails a VM whose task can not run as it is, without a hot loop for its clean-up', () => {
    const record = apply(unwanted, 'TASK_ERROR', { source: 'SOURCE_MASTER' });
    expect(record).toMatchObject({ phase: 'failed', reason: 'LAUNCH_REFUSED' });
    const again = apply({ ...record, phase: 'launching' }, 'TASK_ERROR');
    const action = nextAction(again);
    expect(action.type === 'launch' && action.notBeforeMs).toBeGreaterThan(100);
  });

  it('waits for a host that is away, and gives up one that is gone', () => {
    const lost = apply(running, 'TASK_UNREACHABLE', { source: 'SOURCE_MASTER' });
    expect(lost).toMatchObject({ phase: 'lost', reason: 'AGENT_LOST' });
    expect(apply(lost, 'TASK_UNREACHABLE', answer)).toBe(lost);
    expect(apply(lost, 'TASK_UNKNOWN', answer)).toBe(lost);
    const silent = applySilence(running, 'EXECUTOR_LOST', 'silent', 50);
    expect(apply(silent, 'TASK_UNREACHABLE', answer).reason).toBe('AGENT_LOST');
    const gone = apply(lost, 'TASK_GONE_BY_OPERATOR', answer);
    expect(gone).toMatchObject({ phase: 'failed', boundAgentId: null, reason: 'AGENT_LOST' });
  });

  it('means nothing to a VM that is deleted', () => {
    const deleted = apply(unwanted, 'TASK_KILLED');
    expect(apply(deleted, 'TASK_LOST', byAgent)).toBe(deleted);
  });
});

describe("the master's answer", () => {
  it('does not take the place of an update that will come with the reason', () => {
    for (const state of ['TASK_FAILED', 'TASK_KILLED', 'TASK_FINISHED', 'TASK_ERROR']) {
      expect(apply(unwanted, state, answer)).toBe(unwanted);
    }
    expect(apply(running, 'TASK_GONE', answer).phase).toBe('waiting');
  });

  it('decides what happened to a launch whose offers were gone', () => {
    const facts = { source: 'SOURCE_MASTER', reason: 'REASON_INVALID_OFFERS' };
    expect(isDoubtful({ state: 'TASK_DROPPED', ...facts })).toBe(true);
    const doubted = apply(launching, 'TASK_DROPPED', facts);
    expect(doubted).toMatchObject({ phase: 'launching', reason: 'LAUNCH_REFUSED' });
    expect(doubted.task).toEqual(launching.task);
    // The ACCEPT had come twice: the task of the first runs.
    expect(apply(doubted, 'TASK_STAGING', answer)).toMatchObject({
      phase: 'launching',
      reason: null,
      boundAgentId: 'agent-1',
    });
    // It had come once, too late: the VM is free to go elsewhere.
    for (const state of ['TASK_GONE', 'TASK_UNKNOWN']) {
      expect(apply(doubted, state, answer)).toMatchObject({ phase: 'waiting', boundAgentId: null });
    }
    expect(apply(doubted, 'TASK_UNREACHABLE', answer).phase).toBe('lost');
    expect(apply(running, 'TASK_DROPPED', facts)).toBe(running);
  });
});
