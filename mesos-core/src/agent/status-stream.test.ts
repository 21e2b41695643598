import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TaskState, TaskStatus } from '../protocol/index.ts';
import {
  acknowledgeStatus,
  EMPTY_STREAM,
  isTerminalState,
  latestState,
  receiveStatus,
  type StatusStream,
} from './status-stream.ts';

const status = (uuid: string, state: TaskState): TaskStatus => ({
  task_id: { value: 'a' },
  state,
  uuid,
});

/** Lossy and doubling channels between an executor, the agent's stream and a framework. */
type Step =
  | { readonly kind: 'executorSends'; readonly copies: number; readonly ackArrives: boolean }
  | { readonly kind: 'agentForwards'; readonly copies: number }
  | { readonly kind: 'frameworkAcknowledges'; readonly copies: number; readonly old: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('executorSends' as const),
    copies: fc.integer({ min: 0, max: 3 }),
    ackArrives: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('agentForwards' as const),
    copies: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({
    kind: fc.constant('frameworkAcknowledges' as const),
    copies: fc.integer({ min: 0, max: 2 }),
    old: fc.nat(20),
  }),
);

const states = fc
  .array(fc.constantFrom<TaskState>('TASK_STARTING', 'TASK_RUNNING', 'TASK_KILLING'), {
    maxLength: 6,
  })
  .chain((live) =>
    fc
      .constantFrom<TaskState>('TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED')
      .map((end) => [...live, end]),
  );

describe('the status stream of a task', () => {
  it('delivers every update in order, and each is acknowledged once, however lossy the ways', () => {
    fc.assert(
      fc.property(states, fc.array(step, { maxLength: 60 }), (wanted, faults) => {
        const updates = wanted.map((state, index) => status(`uuid-${index}`, state));
        let stream: StatusStream = EMPTY_STREAM;
        let safe = 0;
        const heard: string[] = [];
        const acknowledged: string[] = [];
        let finished = false;
        const run = (action: Step): void => {
          if (action.kind === 'executorSends') {
            const next = updates[safe];
            if (next === undefined || action.copies === 0) return;
            for (let copy = 0; copy < action.copies; copy += 1) {
              const result = receiveStatus(stream, next);
              if (result.outcome === 'accepted') stream = result.stream;
              else expect(result.outcome).toBe('duplicate');
            }
            if (action.ackArrives) safe += 1;
          } else if (action.kind === 'agentForwards') {
            const uuid = stream.pending[0]?.uuid;
            for (let copy = 0; copy < action.copies; copy += 1) {
              if (uuid !== undefined && !heard.includes(uuid)) heard.push(uuid);
            }
          } else {
            // The newest that the framework heard, and an older one that is late.
            for (const uuid of [heard[action.old], ...Array(action.copies).fill(heard.at(-1))]) {
              const result = acknowledgeStatus(stream, uuid ?? 'none');
              if (result.outcome === 'unexpected') continue;
              stream = result.stream;
              acknowledged.push(uuid ?? '');
              finished = result.finished;
            }
          }
        };
        faults.forEach(run);
        // In the end the ways are good for long enough.
        for (let index = 0; index < 2 * updates.length; index += 1) {
          run({ kind: 'executorSends', copies: 1, ackArrives: true });
          run({ kind: 'agentForwards', copies: 1 });
          run({ kind: 'frameworkAcknowledges', copies: 1, old: 0 });
        }
        const all = updates.map(({ uuid }) => uuid);
        expect(heard).toEqual(all);
        expect(acknowledged).toEqual(all);
        expect(finished).toBe(true);
        expect(stream.pending).toEqual([]);
      }),
    );
  });

  it('takes nothing after the end of the task', () => {
    const ended = receiveStatus(EMPTY_STREAM, status('1', 'TASK_FAILED'));
    if (ended.outcome !== 'accepted') throw new Error('the first update must be accepted');
    expect(receiveStatus(ended.stream, status('2', 'TASK_RUNNING')).outcome).toBe('late');
    expect(receiveStatus(ended.stream, status('1', 'TASK_FAILED')).outcome).toBe('duplicate');
  });

  it('shows each state once, with its newest status', () => {
    let stream: StatusStream = EMPTY_STREAM;
    const sequence: TaskState[] = ['TASK_STARTING', 'TASK_RUNNING', 'TASK_RUNNING', 'TASK_KILLED'];
    sequence.forEach((state, index) => {
      const result = receiveStatus(stream, status(String(index), state));
      if (result.outcome === 'accepted') stream = result.stream;
    });
    expect(stream.history.map(({ uuid }) => uuid)).toEqual(['0', '2', '3']);
    expect(latestState(stream)).toBe('TASK_KILLED');
    expect(isTerminalState(latestState(stream))).toBe(true);
    expect(latestState(EMPTY_STREAM)).toBe('TASK_STAGING');
  });
});
