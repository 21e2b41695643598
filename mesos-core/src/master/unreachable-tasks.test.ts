import { describe, expect, it } from 'vitest';
import type { Task } from '../protocol/index.ts';
import { UnreachableTasks } from './unreachable-tasks.ts';

function task(framework: string, id: string): Task {
  return {
    ...{ name: id, task_id: { value: id }, framework_id: { value: framework } },
    ...{ agent_id: { value: 'a' }, state: 'TASK_UNREACHABLE', resources: [] },
  };
}

/** Remembers tasks named by framework and number: `f1`. */
function remember(perFrameworkMax: number, ...keys: readonly string[]): UnreachableTasks {
  const tasks = new UnreachableTasks(perFrameworkMax);
  for (const key of keys) tasks.set(key, task(key.slice(0, 1), key));
  return tasks;
}

describe('unreachable tasks', () => {
  it('are the newest of each framework; a busy one costs others nothing', () => {
    const tasks = remember(2, 'f1', 'g1', 'f2', 'f3', 'f4');
    expect([...tasks.keys()]).toEqual(['g1', 'f3', 'f4']);
  });

  it('go one by one, or with their framework', () => {
    const tasks = remember(2, 'f1', 'g1', 'f2');
    expect(tasks.delete('f1')).toBe(true);
    expect(tasks.delete('f1')).toBe(false);
    tasks.set('f3', task('f', 'f3'));
    expect([...tasks.keys()]).toEqual(['g1', 'f2', 'f3']);
    tasks.forgetFramework('f');
    tasks.forgetFramework('h');
    expect([...tasks.keys()]).toEqual(['g1']);
  });

  it('are not remembered where the flag says none', () => {
    expect(remember(0, 'f1').size).toBe(0);
  });
});
