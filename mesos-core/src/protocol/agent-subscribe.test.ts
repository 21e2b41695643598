import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentSubscribe } from './agent-protocol.ts';
import { readTask, toldSubscribe } from './agent-subscribe.ts';
import { CodecError } from './codec-error.ts';
import type { Task } from './messages.ts';
import { parseResources } from './resource-text.ts';

const AGENT_ID = { value: 'm-S1' };

function subscribe(tasks: readonly Task[], id: AgentSubscribe['agent_info']['id'] = AGENT_ID) {
  return {
    ...{ agent_info: { hostname: 'a', ...(id === undefined ? {} : { id }) }, version: '1' },
    ...{ capabilities: [], total_resources: [], frameworks: [], executors: [], tasks },
  } satisfies AgentSubscribe;
}

/** The tasks as they arrive. */
function overTheWire(said: AgentSubscribe): readonly unknown[] {
  const { tasks, resource_lists, agent_info } = JSON.parse(JSON.stringify(toldSubscribe(said)));
  return tasks.map((task: unknown) => readTask(task, agent_info.id, resource_lists));
}

const task = fc.record({
  id: fc.string({ minLength: 1 }),
  agent: fc.constantFrom('m-S1', 'm-S2'),
  resources: fc.constantFrom('cpus:1;mem:32', 'cpus:2', 'cpus(eng):1;ports:[1-2]', ''),
  states: fc.array(fc.constantFrom('TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED')),
});

const tasks = fc.array(task, { maxLength: 12 }).map((all) =>
  all.map(({ id, agent, resources, states }): Task => {
    const [task_id, agent_id] = [{ value: id }, { value: agent }];
    return {
      ...{ name: 'a task', task_id, agent_id, framework_id: { value: 'f' } },
      ...{ state: 'TASK_RUNNING', resources: resources === '' ? [] : parseResources(resources) },
      statuses: states.map((state) => ({ state, task_id, agent_id, uuid: 'AAAA' })),
    };
  }),
);

describe('what an agent tells of its tasks', () => {
  it('arrives as it was, though what they have in common is told once', () => {
    fc.assert(
      fc.property(tasks, (given) => {
        expect(overTheWire(subscribe(given))).toEqual(given);
        expect(overTheWire(subscribe(given, undefined))).toEqual(given);
      }),
    );
  });

  it('names equal resources, their agent and their ids once', () => {
    const made = Array.from({ length: 10 }, (_, index): Task => {
      const task_id = { value: `task-${index}` };
      return {
        ...{ name: 'a task', task_id, agent_id: AGENT_ID, framework_id: { value: 'f' } },
        ...{ state: 'TASK_RUNNING', resources: parseResources('cpus:1;mem:32') },
        statuses: [{ state: 'TASK_RUNNING', task_id, agent_id: AGENT_ID }],
      };
    });
    const text = JSON.stringify(toldSubscribe(subscribe(made)));
    expect(text.match(/"mem"/g)).toHaveLength(1);
    expect(text.match(/m-S1/g)).toHaveLength(1);
    expect(text.match(/"task-3"/g)).toHaveLength(1);
  });

  it('may name all of it itself', () => {
    const whole: Task = {
      ...{ name: 't', task_id: { value: 't' }, agent_id: { value: 'other' } },
      ...{ framework_id: { value: 'f' }, state: 'TASK_RUNNING', resources: [] },
    };
    expect(readTask(whole, AGENT_ID, [])).toEqual(whole);
  });

  it.each([
    ['has resources that were not told', { resources: 3 }],
    ['is no task', 'no task'],
    ['is half a task', { task_id: { value: 't' }, resources: 0 }],
  ])('is refused when it %s', (_what, told) => {
    expect(() => readTask(told, AGENT_ID, [[]])).toThrow(CodecError);
  });
});
