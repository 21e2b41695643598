import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { OfferOperation, TaskInfo } from '../protocol/index.ts';
import { portionsOf } from './accept-portions.ts';

const TASKS_MAX = 250;
const CHANGES_MAX = 25;

function launchOf(count: number, from: number): OfferOperation {
  const task_infos = Array.from({ length: count }, (_, index): TaskInfo => {
    const id = `task-${from + index}`;
    return { name: id, task_id: { value: id }, agent_id: { value: 'agent' } };
  });
  return { type: 'LAUNCH', launch: { task_infos } };
}

const reserve = (id: number): OfferOperation => ({
  ...{ type: 'RESERVE', id: { value: `operation-${id}` } },
  reserve: { resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }] },
});

/** Operations with names of their own. */
const operationsArbitrary = fc
  .array(fc.oneof(fc.nat({ max: 3000 }), fc.constant(undefined)), { maxLength: 80 })
  .map((counts) =>
    counts.map((count, index) =>
      count === undefined ? reserve(index) : launchOf(count, index * 10_000),
    ),
  );

/** What is done, one after the other. */
function stepsOf(operations: readonly OfferOperation[]): readonly string[] {
  return operations.flatMap((operation) =>
    operation.type === 'LAUNCH'
      ? (operation.launch.task_infos ?? []).map(({ task_id }) => task_id.value)
      : [operation.id?.value ?? ''],
  );
}

it('does everything once, in its order', () => {
  fc.assert(
    fc.property(operationsArbitrary, (operations) => {
      expect(stepsOf(portionsOf(operations).flat())).toEqual(stepsOf(operations));
    }),
    { numRuns: 50 },
  );
});

it('does so much at a time, and no less than it can', () => {
  fc.assert(
    fc.property(operationsArbitrary, (operations) => {
      const portions = portionsOf(operations);
      const costs = portions.map((portion) =>
        stepsOf(portion).reduce(
          (sum, step) => sum + (step.startsWith('task') ? 1 : TASKS_MAX / CHANGES_MAX),
          0,
        ),
      );
      expect(Math.max(0, ...costs)).toBeLessThanOrEqual(TASKS_MAX);
      const pairs = costs.slice(1).map((cost, index) => cost + (costs[index] ?? 0));
      expect(Math.min(...pairs, TASKS_MAX + 1)).toBeGreaterThan(TASKS_MAX - 1);
    }),
    { numRuns: 50 },
  );
});

it('leaves what is short as it is', () => {
  const operations = [launchOf(10, 0), reserve(1)];
  expect(portionsOf(operations)).toEqual([operations]);
  expect(portionsOf(operations)[0]?.[0]).toBe(operations[0]);
  expect(portionsOf([])).toEqual([]);
});

it('never takes a group apart', () => {
  const { launch } = launchOf(700, 0) as Extract<OfferOperation, { type: 'LAUNCH' }>;
  const group: OfferOperation = {
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: { executor_id: { value: 'executor' } },
      task_group: { tasks: launch.task_infos ?? [] },
    },
  };
  expect(portionsOf([group, reserve(1)])).toEqual([[group], [reserve(1)]]);
});
