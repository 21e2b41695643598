import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AgentHealth,
  AgentHealthBook,
  afterFailure,
  afterSuccess,
  HEALTHY,
  launchOutcome,
  standingOf,
} from './agent-health.ts';
import { applyTaskStatus } from './task-status.ts';
import { launchedRecord, sampleObservation } from './testing/samples.ts';
import { applyObservation, type VmRecord } from './vm-record.ts';

const HALF_HOUR_MS = 30 * 60_000;
const fail = (health: AgentHealth, nowMs: number) => afterFailure(health, 'broken', nowMs, true);
const failThrice = (health: AgentHealth, nowMs: number) =>
  [1, 2, 3].reduce((sum) => fail(sum, nowMs), health);

describe('the health of an agent', () => {
  it('stands three failed launches in a row, and a good one makes them forgotten', () => {
    const twice = fail(fail(HEALTHY, 0), 0);
    expect(standingOf(twice, 0)).toBe('good');
    expect(standingOf(fail(afterSuccess(twice, 0), 0), 0)).toBe('good');
    expect(standingOf(fail(twice, 0), 0)).toBe('quarantined');
  });

  it('goes from quarantine to probation, and from there back, or into a longer quarantine', () => {
    const first = failThrice(HEALTHY, 0);
    expect(first.quarantinedUntilMs).toBe(30_000);
    expect(standingOf(first, 29_999)).toBe('quarantined');
    expect(standingOf(first, 30_000)).toBe('probation');
    const second = fail(first, 30_000);
    expect(second.quarantinedUntilMs).toBe(30_000 + 60_000);
    expect(standingOf(afterSuccess(second, 90_000), 90_000)).toBe('good');
  });

  it('does not end a quarantine for a launch from before it', () => {
    const first = failThrice(HEALTHY, 0);
    expect(standingOf(afterSuccess(first, 10), 10)).toBe('quarantined');
  });

  it('forgets how often it was in quarantine after a good hour', () => {
    const later = failThrice(afterSuccess(failThrice(HEALTHY, 0), 30_000), 2 * 3_600_000);
    expect(later.level).toBe(0);
  });

  it('never keeps an agent out for more than half an hour, nor for ever, whatever happens', () => {
    const events = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 3_600_000 })), { maxLength: 60 });
    fc.assert(
      fc.property(events, (steps) => {
        let nowMs = 0;
        let health = HEALTHY;
        for (const [isGood, laterMs] of steps) {
          nowMs += laterMs;
          health = isGood ? afterSuccess(health, nowMs) : fail(health, nowMs);
          expect((health.quarantinedUntilMs ?? 0) - nowMs).toBeLessThanOrEqual(HALF_HOUR_MS);
          expect(standingOf(health, nowMs + HALF_HOUR_MS)).not.toBe('quarantined');
        }
      }),
    );
  });
});

describe('what a change of a VM says of its agent', () => {
  const launching = launchedRecord();
  const status = (record: VmRecord, state: string, source: string, message?: string) =>
    applyTaskStatus(record, { state, source, reason: undefined, message }, 20);

  it('is a failure when the launch came to nothing, or the executor blames the host', () => {
    const lost = status(launching, 'TASK_FAILED', 'SOURCE_AGENT');
    expect(launchOutcome(launching, lost)?.kind).toBe('failed');
    const blamed = status(launching, 'TASK_FAILED', 'SOURCE_EXECUTOR', 'DISK_FULL: no room');
    expect(launchOutcome(launching, blamed)).toMatchObject({ kind: 'failed', agentId: 'agent-1' });
  });

  it('is nothing when the VM or its image is to blame, or the offer was gone', () => {
    const image = status(launching, 'TASK_FAILED', 'SOURCE_EXECUTOR', 'IMAGE_MISSING: none');
    expect(launchOutcome(launching, image)).toBeUndefined();
    expect(launchOutcome(launching, status(launching, 'TASK_ERROR', 'SOURCE_MASTER'))).toBe(
      undefined,
    );
    const poisoned = { ...launching, failedLaunches: 5 };
    expect(launchOutcome(poisoned, status(poisoned, 'TASK_FAILED', 'SOURCE_AGENT'))).toBe(
      undefined,
    );
    const facts = { reason: 'REASON_INVALID_OFFERS', source: 'SOURCE_MASTER', message: undefined };
    const doubted = applyTaskStatus(launching, { state: 'TASK_DROPPED', ...facts }, 20);
    const answer = { ...facts, state: 'TASK_GONE', reason: 'REASON_RECONCILIATION' };
    expect(launchOutcome(doubted, applyTaskStatus(doubted, answer, 30))).toBeUndefined();
  });

  it('is good once the machine is made', () => {
    const preparing = applyObservation(launching, sampleObservation(1, { state: 'preparing' }), 20);
    expect(launchOutcome(launching, preparing)).toBeUndefined();
    const running = applyObservation(preparing, sampleObservation(1, { seq: 1_001 }), 30);
    expect(launchOutcome(preparing, running)?.kind).toBe('good');
    expect(launchOutcome(running, { ...running, message: 'x' })).toBeUndefined();
  });
});

describe('the book of all agents', () => {
  const failAt = (book: AgentHealthBook, agentId: string, agentCount: number) => {
    for (let n = 1; n <= 3; n += 1) {
      const before = launchedRecord(n);
      const record = { ...before, task: { attempt: 1, launchedAtMs: 0, agentId } };
      const facts = { state: 'TASK_FAILED', source: 'SOURCE_AGENT' };
      const after = applyTaskStatus(
        record,
        { ...facts, reason: undefined, message: undefined },
        20,
      );
      book.note(record, after, 0, () => agentCount);
    }
  };

  it('has at most half of the agents in quarantine, but always one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (count) => {
        const book = new AgentHealthBook();
        const ids = Array.from({ length: count }, (_, index) => `agent-${index}`);
        for (const id of ids) failAt(book, id, count);
        const quarantined = ids.filter((id) => book.standing(id, 0) === 'quarantined');
        expect(quarantined).toHaveLength(Math.max(1, Math.floor(count / 2)));
      }),
    );
  });

  it('does not count launches of which nobody knows whether they went out', () => {
    const book = new AgentHealthBook();
    book.excuse([1, 2, 3].map((n) => launchedRecord(n)));
    failAt(book, 'agent-1', 4);
    expect(book.of('agent-1').failures).toBe(0);
    failAt(book, 'agent-1', 4);
    expect(book.standing('agent-1', 0)).toBe('quarantined');
  });
});
