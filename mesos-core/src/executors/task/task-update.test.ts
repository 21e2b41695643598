import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeExit } from './exit-status.ts';
import { lastUpdate } from './task-update.ts';

describe('the end of a task', () => {
  it.each([
    [0, 'exited with status 0'],
    [3 << 8, 'exited with status 3'],
    [255 << 8, 'exited with status 255'],
    [15, 'terminated with signal Terminated'],
    [9, 'terminated with signal Killed'],
    [11 | 0x80, 'terminated with signal Segmentation fault (core dumped)'],
    [40, 'terminated with signal Unknown signal 40'],
  ])('status %i is told as "%s"', (status, text) => {
    expect(describeExit(status)).toBe(text);
  });

  it('is FINISHED after status 0, FAILED after any other', () => {
    expect(lastUpdate({ status: 0 }, undefined)).toEqual({
      state: 'TASK_FINISHED',
      message: 'Command exited with status 0',
    });
    expect(lastUpdate({ status: 3 << 8 }, undefined)).toEqual({
      state: 'TASK_FAILED',
      message: 'Command exited with status 3',
    });
    expect(lastUpdate({ status: undefined }, undefined)).toEqual({
      state: 'TASK_FAILED',
      message: 'Failed to get exit status for Command',
    });
  });

  it('is KILLED after a kill, unless the command had succeeded all the same', () => {
    expect(lastUpdate({ status: 15 }, 'requested')).toEqual({
      state: 'TASK_KILLED',
      message: 'Command terminated with signal Terminated',
    });
    expect(lastUpdate({ status: 0 }, 'requested').state).toBe('TASK_FINISHED');
  });

  it('says that it was unhealthy, or took too long', () => {
    expect(lastUpdate({ status: 9 }, 'unhealthy')).toMatchObject({
      state: 'TASK_KILLED',
      healthy: false,
      reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED',
    });
    expect(lastUpdate({ status: 9 }, 'overdue')).toMatchObject({
      state: 'TASK_FAILED',
      reason: 'REASON_MAX_COMPLETION_TIME_REACHED',
    });
  });

  it('passes on why a container was ended', () => {
    const end = {
      status: 9,
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY' as const,
      message: 'Memory limit exceeded',
      limitation: [],
    };
    expect(lastUpdate(end, 'requested')).toEqual({
      state: 'TASK_FAILED',
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
      message: 'Command terminated with signal Killed: Memory limit exceeded',
      limitation: { resources: [] },
    });
  });

  it('is FINISHED only after status 0', () => {
    const causes = fc.constantFrom('requested' as const, 'unhealthy' as const, undefined);
    fc.assert(
      fc.property(fc.option(fc.nat(0xffff), { nil: undefined }), causes, (status, cause) => {
        const isFinished = lastUpdate({ status }, cause).state === 'TASK_FINISHED';
        expect(isFinished).toBe(status === 0);
      }),
    );
  });
});
