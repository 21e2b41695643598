import { describe, expect, it } from 'vitest';
import { parseResources, type Task } from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import { type AgentState, emptyState, newFramework } from './state.ts';
import { visibilityOf } from './visibility.ts';

const ANY = { type: 'ANY' };
const only = (user: string) => [
  { principals: { values: ['ann'] }, users: { values: [user] } },
  { principals: { type: 'NONE' }, users: ANY },
];
const authorizer = (acls: object) => createAuthorizer(parseAcls(JSON.stringify(acls)));

/** Ann's framework, with a task and an executor that run as bob. */
function state(): AgentState {
  const framework = newFramework('f', { id: { value: 'f' }, name: 'f', user: 'ann' });
  const ended = (id: string, user?: string) => ({
    ...{ executorId: 'e', containerId: 'c' },
    task: { task_id: { value: id }, ...(user === undefined ? {} : { user }) } as Task,
  });
  framework.completedTasks.push(ended('hers'), ended('his', 'bob'));
  const executor = (id: string, user?: string) => ({
    ...{ containerId: id, directory: '/' },
    info: { executor_id: { value: id }, command: user === undefined ? {} : { user } },
  });
  framework.completedExecutors.push(executor('hers'), executor('his', 'bob'));
  return { ...emptyState(), frameworks: new Map([['f', framework]]) };
}

describe('what somebody sees of an agent', () => {
  it('is all of it without ACLs', () => {
    const all = state();
    expect(visibilityOf(authorizer({}), 'ann', all).state).toEqual(all);
  });

  it('is nothing of a framework whose user may not be seen', () => {
    const { state: seen } = visibilityOf(
      authorizer({ view_frameworks: only('bob') }),
      'ann',
      state(),
    );
    expect([...seen.frameworks]).toEqual([]);
  });

  it('are the tasks and executors of users that may be seen', () => {
    const acls = { view_tasks: only('ann'), view_executors: only('ann') };
    const { state: seen } = visibilityOf(authorizer(acls), 'ann', state());
    const framework = seen.frameworks.get('f');
    expect(framework?.completedTasks.map(({ task }) => task.task_id.value)).toEqual(['hers']);
    expect(framework?.completedExecutors.map(({ containerId }) => containerId)).toEqual(['hers']);
    const { state: others } = visibilityOf(authorizer(acls), 'eve', state());
    expect(others.frameworks.get('f')?.completedTasks).toEqual([]);
  });

  it('are containers of users that may be seen, and standalone ones apart', () => {
    const none = [{ principals: { type: 'NONE' }, users: ANY }];
    const acls = { view_containers: only('bob'), view_standalone_containers: none };
    const visibility = visibilityOf(authorizer(acls), 'ann', state());
    const executor = (user?: string) => ({
      ...{ executor_id: { value: 'e' }, command: user === undefined ? {} : { user } },
    });
    const framework = { name: 'f', user: 'ann' };
    expect(visibility.container(executor('bob'), framework)).toBe(true);
    expect(visibility.container(executor(), framework)).toBe(false);
    expect(visibility.standaloneContainers()).toBe(false);
  });

  it('are resources of no role, and of roles that may be seen', () => {
    const roles = [{ principals: { type: 'NONE' }, roles: { values: ['eng'] } }];
    const { resources } = visibilityOf(authorizer({ view_roles: roles }), 'ann', state());
    const shown = resources(parseResources('cpus:1;cpus(eng):2;cpus(ops):3'));
    expect(shown.map(({ scalar }) => scalar?.value)).toEqual([1, 3]);
  });
});
