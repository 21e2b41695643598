import type { BatchId, ClusterId, OperationId, SubnetId, VmId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { auditInvariants, INVARIANTS } from './rules.ts';
import type { AuditedVm, InvariantSnapshot } from './store.ts';

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const id = <T extends string>(prefix: string, n: number): T =>
  `${prefix}_${String(n).padStart(32, '0')}` as T;
const subnetId = id<SubnetId>('sub', 1);
const clusterId = id<ClusterId>('clu', 1);
const batchId = id<BatchId>('bat', 1);

const vm = (n: number, changes: Partial<AuditedVm> = {}): AuditedVm => ({
  ...{ id: id<VmId>('vm', n), batchId, name: `web-${n}`, state: 'running' },
  ...{ stateSinceMs: NOW_MS - 1_000, reason: null, message: null },
  ...{ clusterId, assignmentEpoch: 1, assignedSeq: 5 },
  ...{ subnetId, addressOffset: n, macAddress: `02:00:00:00:00:0${n}`, nics: [] },
  ...changes,
});
const held = (n: number, vmId = id<VmId>('vm', n)) => ({ subnetId, offset: n, vmId });
const cluster = {
  ...{ id: clusterId, name: 'idc-1', lastSeenAtMs: NOW_MS - 1_000 },
  ...{ ackedSeq: 5, lastSeq: 7, queued: { count: 2, first: 6, last: 7 } },
};
const size = { kind: 'count', count: 2, shape: { vcpus: 1, memoryMiB: 128 } } as const;
const batch = { id: batchId, name: 'web', state: 'active', size, needsPlanning: false, vmCount: 2 };
const clean: InvariantSnapshot = {
  nowMs: NOW_MS,
  vms: [vm(1), vm(2, { assignedSeq: 6 })],
  heldAddresses: [held(1), held(2)],
  batches: [{ ...batch, state: 'active' }],
  ...{ shares: [], operations: [], clusters: [cluster] },
  assignments: [{ clusterId, seq: 6, vmId: id('vm', 2), assignmentEpoch: 1 }],
};
const rulesOf = (changes: Partial<InvariantSnapshot>): readonly string[] => [
  ...new Set(auditInvariants({ ...clean, ...changes }).map(({ rule }) => rule)),
];

describe('the invariants', () => {
  it('hold of what is as it should be', () => {
    expect(auditInvariants(clean)).toEqual([]);
  });

  const waitingVm = { clusterId: null, assignedSeq: null, state: 'pending' } as const;
  const cases: readonly [string, Partial<InvariantSnapshot>][] = [
    ['address', { vms: [vm(1), vm(2, { addressOffset: 1, assignedSeq: 5 })] }],
    ['heldAddress', { heldAddresses: [held(1), held(2), held(9)] }],
    ['mac', { vms: [vm(1), vm(2, { assignedSeq: 6, macAddress: '02:00:00:00:00:01' })] }],
    ['count', { batches: [{ ...batch, state: 'active', vmCount: 3 }] }],
    [
      'assignment',
      {
        assignments: [
          ...clean.assignments,
          { clusterId: id('clu', 2), seq: 1, vmId: id('vm', 1), assignmentEpoch: 1 },
        ],
      },
    ],
    ['assignment', { assignments: [] }],
    ['log', { clusters: [{ ...cluster, queued: { count: 1, first: 7, last: 7 } }] }],
    ['log', { clusters: [{ ...cluster, queued: null }] }],
    ['share', { shares: [{ batchId, clusterId, state: 'answered', changedAtMs: NOW_MS }] }],
    ['waiting', { vms: [vm(1), vm(2, waitingVm)], assignments: [] }],
    ['waiting', { vms: [vm(1), vm(2, { ...waitingVm, state: 'running' })], assignments: [] }],
    [
      'deadline',
      {
        vms: [vm(1), vm(2, { assignedSeq: 6, state: 'starting', stateSinceMs: NOW_MS - HOUR_MS })],
      },
    ],
    [
      'deadline',
      { operations: [{ id: id<OperationId>('op', 1), deadlineAtMs: NOW_MS - HOUR_MS }] },
    ],
    ['word', { vms: [vm(1), vm(2, { assignedSeq: 6, state: 'failed' })] }],
  ];
  it.each(cases)('%s is broken by what breaks it, and nothing else is', (rule, changes) => {
    expect(rulesOf(changes)).toEqual([rule]);
  });

  it('are each broken by one of these', () => {
    expect(new Set(cases.map(([rule]) => rule))).toEqual(new Set(Object.keys(INVARIANTS)));
  });

  it('let a silent cluster be late, and an older epoch be delivered', () => {
    const late = vm(2, { assignedSeq: 5, state: 'starting', stateSinceMs: NOW_MS - HOUR_MS });
    const silent = { ...cluster, lastSeenAtMs: NOW_MS - HOUR_MS };
    expect(rulesOf({ vms: [vm(1), late], clusters: [silent] })).toEqual([]);
    const other = id<ClusterId>('clu', 2);
    const older = { clusterId: other, seq: 1, vmId: id<VmId>('vm', 2), assignmentEpoch: 1 };
    const moved = vm(2, { assignedSeq: 5, assignmentEpoch: 2 });
    expect(rulesOf({ vms: [vm(1), moved], assignments: [older] })).toEqual([]);
  });
});
