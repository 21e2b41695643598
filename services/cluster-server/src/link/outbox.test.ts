import type { Capacity, OperationId, SharePlan, VmReport } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { report } from '../testing/samples.ts';
import { Outbox } from './outbox.ts';

const capacity = (observedAtMs: number): Capacity => ({
  observedAtMs,
  hosts: [],
  promisedVcpus: 0,
  promisedMemoryMiB: 0,
  images: [],
});
const plan = (reason: string): SharePlan => ({
  batchId: `bat_${'0'.repeat(32)}` as SharePlan['batchId'],
  machines: [],
  unplacedVcpus: 0,
  reason,
});
const result = (n: number, length = 1) => ({
  operationId: `op_${String(n).padStart(32, '0')}` as OperationId,
  vmId: report(1, 1).vmId,
  outcome: 'succeeded' as const,
  message: '',
  output: 'x'.repeat(length),
});

describe('the outbox', () => {
  it('keeps everything until it is acknowledged, and what is newer beyond that', () => {
    const outbox = new Outbox();
    outbox.addChanges({ revision: 5, vms: [report(1, 5)], operations: [result(1)] });
    outbox.addPlan(plan('first'));
    outbox.setCapacity(capacity(1));
    const first = outbox.take();
    expect(first.reportedRevision).toBe(5);
    expect(outbox.take()).toEqual(first);
    outbox.addChanges({ revision: 6, vms: [report(1, 6)], operations: [] });
    outbox.addPlan(plan('second'));
    outbox.setCapacity(capacity(2));
    outbox.acknowledge(first.reports);
    const second = outbox.take();
    expect(second.reports).toEqual({
      vms: [report(1, 6)],
      operations: [],
      plans: [plan('second')],
      capacity: capacity(2),
    });
    outbox.acknowledge(second.reports);
    expect(outbox.isEmpty).toBe(true);
    outbox.acknowledge(first.reports);
    expect(outbox.isEmpty).toBe(true);
  });

  it('loses no last word and never goes backwards, however exchanges come and fail', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('change' as const), n: fc.integer({ min: 1, max: 3 }) }),
        fc.record({ kind: fc.constant('send' as const), isLost: fc.boolean() }),
        fc.record({ kind: fc.constant('lateAck' as const) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const outbox = new Outbox();
        const newest = new Map<string, number>();
        const delivered = new Map<string, number>();
        const pending: ReturnType<Outbox['take']>[] = [];
        let revision = 0;
        let safe = 0;
        const deliver = ({ reports, reportedRevision }: ReturnType<Outbox['take']>): void => {
          for (const { vmId, revision: at } of reports.vms) {
            delivered.set(vmId, Math.max(delivered.get(vmId) ?? 0, at));
          }
          outbox.acknowledge(reports);
          safe = Math.max(safe, reportedRevision ?? 0);
        };
        for (const step of all) {
          if (step.kind === 'change') {
            revision += 1;
            const changed: VmReport = report(step.n, revision);
            newest.set(changed.vmId, revision);
            outbox.addChanges({ revision, vms: [changed], operations: [] });
          } else if (step.kind === 'send') {
            const taken = outbox.take();
            if (step.isLost) pending.push(taken);
            else deliver(taken);
          } else {
            const late = pending.shift();
            if (late !== undefined) deliver(late);
          }
          // Up to what counts as reported, everything has been.
          for (const [vmId, at] of newest) {
            if (at <= safe) expect(delivered.get(vmId)).toBe(at);
          }
        }
        deliver(outbox.take());
        expect(delivered).toEqual(newest);
        expect(outbox.isEmpty).toBe(true);
      }),
    );
  });

  it('sends in pieces, oldest first, and names a revision only with the last piece', () => {
    const outbox = new Outbox();
    const vms = Array.from({ length: 4_500 }, (_, n) => report(n, n + 1));
    outbox.addChanges({ revision: 4_500, vms, operations: [] });
    const sizes: number[] = [];
    for (;;) {
      const { reports, reportedRevision } = outbox.take();
      sizes.push(reports.vms.length);
      outbox.acknowledge(reports);
      expect(reportedRevision).toBe(outbox.isEmpty ? 4_500 : undefined);
      if (outbox.isEmpty) break;
    }
    expect(sizes).toEqual([2_000, 2_000, 500]);
  });

  it('sends console logs in pieces that a body can hold', () => {
    const outbox = new Outbox();
    const operations = Array.from({ length: 100 }, (_, n) => result(n, 200 * 1024));
    outbox.addChanges({ revision: 9, vms: [report(1, 9)], operations });
    const seen = new Set<string>();
    while (!outbox.isEmpty) {
      const { reports, reportedRevision } = outbox.take();
      expect(JSON.stringify(reports).length).toBeLessThan(8 * 1024 * 1024);
      for (const { operationId } of reports.operations) seen.add(operationId);
      outbox.acknowledge(reports);
      if (!outbox.isEmpty) expect(reportedRevision).toBeUndefined();
    }
    expect(seen.size).toBe(100);
  });
});
