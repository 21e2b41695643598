import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonPieces, type Task } from '../../protocol/index.ts';
import { olderTasks, readTaskQuery } from './older-tasks.ts';
import type { ClusterSnapshot } from './snapshot.ts';

function task(id: number, timestamp: number): Task {
  return {
    ...{ name: `t${id}`, task_id: { value: `t${id}` }, agent_id: { value: 'a' } },
    framework_id: { value: `f${id % 2}` },
    state: 'TASK_RUNNING',
    resources: [],
    statuses: [{ task_id: { value: `t${id}` }, state: 'TASK_RUNNING', timestamp }],
  };
}

function ask(tasks: readonly Task[], query: string): readonly { id: string }[] {
  const half = Math.ceil(tasks.length / 2);
  const snapshot: ClusterSnapshot = {
    ...{ recoveredAgents: [], unreachableAgents: 0, frameworks: [], completedFrameworks: [] },
    agents: [],
    unreachableTasks: tasks.slice(0, half),
    completedTasks: tasks.slice(half),
  };
  const answer = olderTasks(snapshot, readTaskQuery(new URLSearchParams(query)));
  return JSON.parse([...jsonPieces(answer)].join('')).tasks;
}

describe('GET /tasks', () => {
  it('gives a window of all tasks in the order of time, however many there are', () => {
    const times = fc.array(fc.integer({ min: 1, max: 1e6 }), { maxLength: 5000 });
    const number = fc.integer({ min: 0, max: 6000 });
    fc.assert(
      fc.property(times, number, number, fc.boolean(), (all, limit, offset, isAscending) => {
        const order = isAscending ? 'asc' : 'des';
        const tasks = all.map((time, index) => task(index, time));
        const sorted = tasks
          .map(({ statuses }) => statuses?.[0]?.timestamp ?? 0)
          .toSorted((a, b) => (isAscending ? a - b : b - a))
          .slice(offset, offset + limit);
        const shown = ask(tasks, `limit=${limit}&offset=${offset}&order=${order}`);
        const byId = new Map(tasks.map((each, index) => [each.name, all[index]]));
        expect(shown.map(({ id }) => byId.get(id))).toEqual(sorted);
      }),
      { numRuns: 20 },
    );
  });

  it('shows a hundred of the newest unless asked otherwise', () => {
    const shown = ask(
      Array.from({ length: 150 }, (_, index) => task(index, index + 1)),
      '',
    );
    expect(shown).toHaveLength(100);
    expect(shown[0]?.id).toBe('t149');
  });

  it('shows those of one framework, or one', () => {
    const tasks = [task(0, 1), task(1, 2), task(2, 3)];
    expect(ask(tasks, 'framework_id=f0').map(({ id }) => id)).toEqual(['t2', 't0']);
    expect(ask(tasks, 'task_id=t1').map(({ id }) => id)).toEqual(['t1']);
  });

  it('refuses numbers that are none', () => {
    expect(() => readTaskQuery(new URLSearchParams('limit=-1'))).toThrow("Failed to parse 'limit'");
  });
});
