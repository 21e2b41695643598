import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../protocol/index.ts';
import { CompletedTasks } from './completed-tasks.ts';
import { FRAMEWORK, launch, type TestScheduler, taskOn, World } from './testing/world.ts';

function completed(framework: string, id: string): Task {
  return {
    ...{ name: id, task_id: { value: id }, agent_id: { value: 'a' }, resources: [] },
    ...{ framework_id: { value: framework }, state: 'TASK_FINISHED' },
  };
}

describe('tasks that are over', () => {
  const ids = (tasks: Iterable<Task>) => [...tasks].map(({ task_id }) => task_id.value);

  it('are remembered for each framework by itself, the newest of them', () => {
    const tasks = new CompletedTasks(2);
    tasks.add(completed('quiet', 'only'));
    for (let number = 1; number <= 5; number += 1) tasks.add(completed('busy', `busy-${number}`));
    expect(ids(tasks)).toEqual(['only', 'busy-4', 'busy-5']);
    tasks.forgetFramework('busy');
    expect(ids(tasks)).toEqual(['only']);
  });

  it('are not remembered where none may be', () => {
    const tasks = new CompletedTasks(0);
    tasks.add(completed('f', 'a'));
    expect(ids(tasks)).toEqual([]);
  });
});

describe('a master that remembers one framework that was removed, and one task of each', () => {
  let world: World;

  beforeEach(async () => {
    const settings = { completedFrameworksMax: 1, completedTasksPerFrameworkMax: 1 };
    world = new World({ settings });
    await world.startMaster();
  });

  afterEach(async () => {
    expect(world.master.invariants()).toEqual([]);
    await world.close();
  });

  async function killed(name: string, ...ids: readonly string[]): Promise<TestScheduler> {
    const scheduler = await world.startScheduler(name, { ...FRAMEWORK, name });
    const { offer } = scheduler;
    await world.call(scheduler, launch(offer, ...ids.map((id) => taskOn(offer, id))));
    for (const id of ids) {
      await world.call(scheduler, { type: 'KILL', kill: { task_id: { value: id } } });
      await world.run(1000);
    }
    return scheduler;
  }

  async function shown(): Promise<unknown> {
    const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);
    const { frameworks, completed_frameworks } = (await world.master.app.inject('/state')).json();
    return {
      completed: names(completed_frameworks),
      tasks: [...frameworks, ...completed_frameworks].flatMap((each) =>
        names(each.completed_tasks),
      ),
    };
  }

  it('shows these, and forgets tasks with their framework', async () => {
    await world.startAgent('agent-1');
    const first = await killed('first', 'a', 'b');
    await world.call(first, { type: 'SUPPRESS' });
    await world.startAgent('agent-2');
    const second = await killed('second', 'c');
    expect(await shown()).toEqual({ completed: [], tasks: ['b', 'c'] });
    await world.call(first, { type: 'TEARDOWN' });
    expect(await shown()).toEqual({ completed: ['first'], tasks: ['c', 'b'] });
    await world.call(second, { type: 'TEARDOWN' });
    expect(await shown()).toEqual({ completed: ['second'], tasks: ['c'] });
  });
});
