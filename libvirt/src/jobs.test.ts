import { describe, expect, it } from 'vitest';
import { jobOutcomeOf } from './jobs.ts';

describe('what libvirt says of a job', () => {
  it('is read by the names of virDomainGetJobStats', () => {
    const params = new Map<string, string | number | bigint | boolean>([
      ['operation', 9],
      ['time_elapsed', 41n],
      ['disk_total', 100n],
      ['disk_processed', 60n],
      ['disk_remaining', 40n],
      ['success', false],
      ['errmsg', 'No space left on device'],
    ]);
    expect(jobOutcomeOf(params)).toStrictEqual({
      operation: 'backup',
      success: false,
      errorMessage: 'No space left on device',
      timeElapsedMs: 41n,
      diskTotalBytes: 100n,
      diskProcessedBytes: 60n,
      diskRemainingBytes: 40n,
      memoryTotalBytes: undefined,
      memoryProcessedBytes: undefined,
      params,
    });
  });

  it('may be of a newer libvirt, or nothing', () => {
    expect(jobOutcomeOf(new Map([['operation', 99]])).operation).toBe('unknown');
    expect(jobOutcomeOf(new Map()).success).toBeUndefined();
  });
});
