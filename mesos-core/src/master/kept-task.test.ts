import { describe, expect, it } from 'vitest';
import { parseResources, type Task, type TaskInfo, type TaskStatus } from '../protocol/index.ts';
import { launchedTask, reportedTask, updatedTask } from './kept-task.ts';

const owners = { framework_id: { value: 'f-1' }, agent_id: { value: 'a-1' } };

function info(id: string, resources: string): TaskInfo {
  return {
    ...{ name: id, task_id: { value: id }, agent_id: { value: 'a-1' } },
    resources: parseResources(resources),
  };
}

function status(state: TaskStatus['state'], more: Partial<TaskStatus> = {}): TaskStatus {
  return { task_id: { value: 't-1' }, agent_id: { value: 'a-1' }, state, ...more };
}

describe('a task as the master keeps it', () => {
  it('shares ids with its owners, and equal resources with the task before it', () => {
    const first = launchedTask(info('t-1', 'cpus:1;mem:64'), owners, undefined);
    const second = launchedTask(info('t-2', 'cpus:1;mem:64'), owners, first);
    expect(second.agent_id).toBe(owners.agent_id);
    expect(second.framework_id).toBe(owners.framework_id);
    expect(second.resources).toBe(first.resources);
  });

  it.each([
    'cpus:2;mem:64',
    'mem:64;cpus:1',
    'cpus:1',
    'cpus(ads):1;mem:64',
    'cpus:1;mem:64;ports:[1-2]',
  ])('has resources of its own when they are not the same: %s', (resources) => {
    const first = launchedTask(info('t-1', 'cpus:1;mem:64'), owners, undefined);
    const second = launchedTask(info('t-2', resources), owners, first);
    expect(second.resources).toEqual(parseResources(resources));
    const third = launchedTask(info('t-3', 'cpus:1;mem:64'), owners, second);
    expect(third.resources).toEqual(parseResources('cpus:1;mem:64'));
  });

  it('keeps one status of a run of the same state, and none of their data', () => {
    const launched = launchedTask(info('t-1', 'cpus:1'), owners, undefined);
    const running = updatedTask(launched, status('TASK_RUNNING', { data: 'AAAA' }), 'TASK_RUNNING');
    const healthy = updatedTask(
      running,
      status('TASK_RUNNING', { healthy: true, uuid: 'dXVpZA==' }),
      'TASK_RUNNING',
    );
    expect(healthy.statuses).toEqual([status('TASK_RUNNING', { healthy: true, uuid: 'dXVpZA==' })]);
    expect(healthy.statuses?.[0]?.task_id).toBe(launched.task_id);
    expect(healthy).toMatchObject({ state: 'TASK_RUNNING', status_update_uuid: 'dXVpZA==' });
  });

  it('stays over when an earlier state is told late', () => {
    const launched = launchedTask(info('t-1', 'cpus:1'), owners, undefined);
    const over = updatedTask(launched, status('TASK_FINISHED'), 'TASK_FINISHED');
    expect(updatedTask(over, status('TASK_RUNNING'), 'TASK_RUNNING').state).toBe('TASK_FINISHED');
  });

  it('leaves a status that names no agent, or another one, as it is', () => {
    const { agent_id: _, ...nowhere } = status('TASK_RUNNING');
    const elsewhere = status('TASK_LOST', { agent_id: { value: 'a-0' } });
    const told: Task = {
      ...launchedTask(info('t-1', 'cpus:1'), owners, undefined),
      statuses: [nowhere, elsewhere],
    };
    expect(reportedTask(told, owners, undefined)).toEqual(told);
  });
});
