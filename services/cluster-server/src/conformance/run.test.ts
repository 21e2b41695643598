import { systemClock } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { runConformance } from './run.ts';

describe('the conformance run of a cluster', () => {
  it('says of each check whether it passed, and why not', async () => {
    const checks = await runConformance({
      clock: systemClock,
      readHosts: async () => [],
      askScheduler: async () => {
        throw new Error('the vm-scheduler does not answer');
      },
      measureStorage: async () => ({ writtenMiBps: 100, readMiBps: 500 }),
    });
    const outcomes = Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));
    expect(outcomes).toMatchObject({ hosts: 'failed', scheduler: 'failed', storage: 'passed' });
    expect(checks[1]?.detail).toContain('does not answer');
  });
});
