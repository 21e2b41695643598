import { describe, expect, it } from 'vitest';
import {
  formatResources,
  type MasterResponse,
  parseResources,
  type TaskInfo,
} from '../protocol/index.ts';
import { parseAcls } from '../security/acls.ts';
import { createAuthorizer } from '../security/authorizer.ts';
import { launchedTask } from './kept-task.ts';
import { visibilityOf, withoutHiddenRoles } from './visibility.ts';

/** The framework's user is ann; what bob may see is looked at. */
const FRAMEWORK = { name: 'framework', user: 'ann' };
const OWNERS = { framework_id: { value: 'framework' }, agent_id: { value: 'agent' } };
const INFO: TaskInfo = {
  name: 'task',
  task_id: { value: 'task' },
  agent_id: { value: 'agent' },
  resources: parseResources('cpus:1'),
};

function authorizer(acls: object) {
  return createAuthorizer(parseAcls(JSON.stringify(acls)));
}

function usersOnly(...values: readonly string[]) {
  return [
    { principals: { values: ['bob'] }, users: { values } },
    { principals: { values: ['bob'] }, users: { type: 'NONE' } },
  ];
}

function rolesOnly(...values: readonly string[]) {
  return [
    { principals: { values: ['bob'] }, roles: { values } },
    { principals: { values: ['bob'] }, roles: { type: 'NONE' } },
  ];
}

describe('who looks at the cluster', () => {
  it.each<[string, Partial<TaskInfo>, string | undefined]>([
    ['its command', { command: { value: 'true', user: 'cat' } }, 'cat'],
    [
      'its executor',
      { executor: { executor_id: { value: 'e' }, command: { value: 'e', user: 'dan' } } },
      'dan',
    ],
    ['its framework', { command: { value: 'true' } }, undefined],
  ])('sees a task when the user of %s may be seen', (_whose, change, user) => {
    const task = launchedTask({ ...INFO, ...change }, OWNERS, undefined);
    expect(task.user).toBe(user);
    for (const allowed of ['ann', 'cat', 'dan']) {
      const { task: sees } = visibilityOf(authorizer({ view_tasks: usersOnly(allowed) }), 'bob');
      expect(sees(task, FRAMEWORK)).toBe(allowed === (user ?? 'ann'));
    }
  });

  it('sees no task of a framework that may not be seen', () => {
    const acls = authorizer({ view_frameworks: usersOnly('cat') });
    const task = launchedTask(INFO, OWNERS, undefined);
    expect(visibilityOf(acls, 'bob').task(task, FRAMEWORK)).toBe(false);
    expect(visibilityOf(acls, 'eve').task(task, FRAMEWORK)).toBe(true);
  });

  it('sees resources that are reserved for no role, or for roles that may be seen', () => {
    const all = parseResources('cpus(eng):1;cpus(ops):2;cpus:4');
    const { resources } = visibilityOf(authorizer({ view_roles: rolesOnly('eng', '*') }), 'bob');
    expect(formatResources(resources(all))).toBe(
      formatResources(parseResources('cpus(eng):1;cpus:4')),
    );
  });

  it('sees roles, weights and quota of roles that may be seen', () => {
    const acls = authorizer({ view_roles: rolesOnly('eng'), get_quotas: rolesOnly('ops') });
    const seen = (response: MasterResponse) => withoutHiddenRoles(acls, 'bob', response);
    const roles = ['eng', 'ops'].map((name) => ({ name, weight: 1 }));
    expect(seen({ type: 'GET_ROLES', get_roles: { roles } })).toEqual({
      ...{ type: 'GET_ROLES', get_roles: { roles: [{ name: 'eng', weight: 1 }] } },
    });
    const configs = ['eng', 'ops'].map((role) => ({ role }));
    expect(seen({ type: 'GET_QUOTA', get_quota: { status: { configs } } })).toMatchObject({
      get_quota: { status: { configs: [{ role: 'ops' }] } },
    });
  });
});
