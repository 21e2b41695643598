import { describe, expect, it } from 'vitest';
import { nextAction } from './next-action.ts';
import { overdueChanges } from './sweep.ts';
import { launchedRecord, sampleAssignment, sampleObservation } from './testing/samples.ts';
import {
  applyObservation,
  applySilence,
  newVmRecord,
  shownState,
  toPhase,
  type VmRecord,
} from './vm-record.ts';

const MINUTE_MS = 60_000;
const waiting = newVmRecord(sampleAssignment(), 0);
const launching = { ...launchedRecord(), phaseSinceMs: 0 };
const running = applyObservation(launchedRecord(), sampleObservation(), 0);

const at = (record: VmRecord, nowMs: number, reported = 0) =>
  overdueChanges([record], nowMs, reported);

describe('the sweep', () => {
  it('finds nothing to do where everything is in time', () => {
    const overdue = overdueChanges([running, launching], 5_000, 0);
    expect(overdue).toMatchObject({ changed: [], killed: [], unanswered: [], forgotten: [] });
    expect(overdue.isLaunchDue).toBe(false);
    expect(at(waiting, 5_000).isLaunchDue).toBe(true);
  });

  it('fails what found no host in its time, with what was lacking', () => {
    const told = { ...waiting, message: '3 agents make offers: 3 lack memory.' };
    expect(at(told, 29 * MINUTE_MS).changed).toEqual([]);
    expect(at(told, 31 * MINUTE_MS).changed).toMatchObject([
      { phase: 'failed', reason: 'NO_CAPACITY', message: expect.stringContaining('3 lack memory') },
    ]);
  });

  it('waits for ever for the host that has the disk', () => {
    const bound = toPhase({ ...running, task: null }, 'waiting', 0);
    const overdue = at(bound, 24 * 60 * MINUTE_MS);
    expect(overdue).toMatchObject({ changed: [], isLaunchDue: true });
  });

  it('asks about a launch that is not answered, then launches a new VM again', () => {
    expect(at(launching, 11_000).unanswered).toEqual([launching]);
    const late = at(launching, 3 * MINUTE_MS);
    expect(late.killed).toEqual([launching]);
    expect(late.changed).toMatchObject([
      { phase: 'waiting', task: null, boundAgentId: 'agent-1', failedLaunches: 1 },
    ]);
  });

  it('never kills the task of a VM that an executor has spoken of: its disk would go with it', () => {
    const again = { ...running, phase: 'launching' as const };
    const late = at(again, 24 * 60 * MINUTE_MS);
    expect(late).toMatchObject({ killed: [], changed: [], unanswered: [again] });
  });

  it('asks about hosts that are silent', () => {
    const lost = applySilence(running, 'EXECUTOR_LOST', 'silent', 0);
    expect(at(lost, 1_000).unanswered).toEqual([lost]);
  });

  it('gives up a VM whose launches all came to nothing', () => {
    const hopeless = { ...waiting, failedLaunches: 12, reason: 'LAUNCH_REFUSED' as const };
    expect(at(hopeless, 1_000).changed).toMatchObject([
      {
        phase: 'failed',
        reason: 'LAUNCH_REFUSED',
        message: expect.stringContaining('12 launches'),
      },
    ]);
    const seen = { ...hopeless, observation: sampleObservation(), boundAgentId: 'agent-1' };
    expect(at(seen, 1_000).changed).toEqual([]);
  });

  it('marks as deleted what never had a host', () => {
    const unwanted = newVmRecord(sampleAssignment(1, { desired: 'deleted' }), 0);
    expect(at(unwanted, 1).changed).toMatchObject([{ phase: 'deleted' }]);
  });

  it('forgets the deleted only when somebody was told of them', () => {
    const deleted = { ...toPhase({ ...running, task: null }, 'deleted', 0), revision: 500 };
    expect(at(deleted, 11 * MINUTE_MS, 499).forgotten).toEqual([]);
    expect(at(deleted, 9 * MINUTE_MS, 500).forgotten).toEqual([]);
    expect(at(deleted, 11 * MINUTE_MS, 500).forgotten).toEqual([deleted.assignment.vmId]);
  });
});

describe('an executor that beats its heart and does not move', () => {
  const starting = sampleObservation(1, { state: 'starting' });
  const hosted = applyObservation(launchedRecord(), starting, 0);
  const stalled = at(hosted, 5 * MINUTE_MS).changed[0] ?? hosted;

  it('is told of when the deadline of the state has passed by more than a margin', () => {
    expect(at(hosted, 3 * MINUTE_MS + 30_000).changed).toEqual([]);
    expect(stalled).toMatchObject({
      phase: 'stalled',
      reason: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining('starting'),
      boundAgentId: 'agent-1',
    });
    expect(shownState(stalled)).toBe('failed');
    expect(stalled.task).toEqual(hosted.task);
  });

  it('keeps the reason that the executor gave itself', () => {
    const told = {
      ...starting,
      reason: 'HYPERVISOR_UNAVAILABLE' as const,
      message: 'No libvirtd.',
    };
    const late = at(applyObservation(launchedRecord(), told, 0), 5 * MINUTE_MS).changed;
    expect(late).toMatchObject([
      { reason: 'HYPERVISOR_UNAVAILABLE', message: expect.stringContaining('No libvirtd.') },
    ]);
  });

  it('is measured by the clock of the scheduler', () => {
    const skewed = { ...starting, stateSinceMs: -60 * MINUTE_MS };
    expect(at(applyObservation(launchedRecord(), skewed, 0), MINUTE_MS).changed).toEqual([]);
  });

  it('is forgiven when the machine moves on, and by nothing less', () => {
    const again = applyObservation(stalled, { ...starting, seq: 1_001 }, 6 * MINUTE_MS);
    expect(again.phase).toBe('stalled');
    const runs = sampleObservation(1, { seq: 1_002, stateSinceMs: 7 * MINUTE_MS });
    expect(applyObservation(again, runs, 7 * MINUTE_MS)).toMatchObject({
      phase: 'hosted',
      reason: null,
      message: null,
    });
  });

  it('never speaks of states that may last', () => {
    expect(at(running, 24 * 60 * MINUTE_MS).changed).toEqual([]);
  });

  it('can still be told of a wish, and to delete', () => {
    expect(nextAction({ ...stalled, assignment: sampleAssignment(1, { generation: 2 }) })).toEqual({
      type: 'tellDesired',
    });
  });
});
