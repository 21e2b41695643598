import { describe, expect, it } from 'vitest';
import { describeFailingHosts, runFailingHosts } from './failing-hosts.ts';

const CASES = [
  { seed: 1, agents: 6, vms: 150, rate: 0.01 },
  { seed: 2, agents: 2, vms: 50, rate: 0.1 },
];

describe('hosts that fail at a part of all calls', () => {
  it.each(CASES)(
    'bring $vms machines to rest, with a reason where they failed, and keep nothing of them ($rate)',
    async (options) => {
      const figures = await runFailingHosts(options);
      process.stdout.write(`${describeFailingHosts(options, figures)}\n`);
      const { running = 0, failed = 0 } = figures.created;
      expect(running).toBeGreaterThan(0);
      expect(running + failed).toBe(options.vms);
      expect(figures.deleted).toEqual({ deleted: options.vms });
      expect(Object.keys(figures.faults).length).toBeGreaterThan(10);
    },
    120_000,
  );
});
