import { describe, expect, it } from 'vitest';
import type { CommandInfo } from '../../protocol/index.ts';
import { commandExecutorInfo } from './command-executor-info.ts';

function infoOf(command: CommandInfo) {
  return commandExecutorInfo({
    name: 'a',
    task_id: { value: 'runs' },
    agent_id: { value: 'agent-1' },
    resources: [
      { name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, allocation_info: { role: 'eng' } },
    ],
    labels: { labels: [{ key: 'k', value: 'v' }] },
    command,
  });
}

describe('the executor of a command task', () => {
  it('is made up as Mesos does', () => {
    expect(infoOf({ value: 'sleep 1000' })).toEqual({
      executor_id: { value: 'runs' },
      command: { shell: false, value: 'mesos-executor', arguments: ['mesos-executor'] },
      resources: [
        { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: 'eng' } },
        { name: 'mem', type: 'SCALAR', scalar: { value: 32 }, allocation_info: { role: 'eng' } },
      ],
      name: "Command Executor (Task: runs) (Command: sh -c 'sleep 1000')",
      source: 'runs',
      labels: { labels: [{ key: 'k', value: 'v' }] },
    });
  });

  it.each([
    [{ value: 'sleep 100000000' }, "sh -c 'sleep 100000000'"],
    [{ value: 'sleep 1000000000' }, "sh -c 'sleep 100000...'"],
    [{}, 'NO COMMAND'],
    [{ shell: false }, 'NO EXECUTABLE'],
    [{ shell: false, value: '/bin/ls', arguments: ['ls'] }, '[/bin/ls, ls]'],
    [{ shell: false, value: '/bin/echo', arguments: ['echo', 'hello'] }, '[/bin/echo, e...]'],
  ])('shows %j as %s', (command, shown) => {
    expect(infoOf(command).name).toBe(`Command Executor (Task: runs) (Command: ${shown})`);
  });

  it('takes URIs, environment, user and container of the task', () => {
    const uris = [{ value: 'http://a/b' }];
    const environment = { variables: [{ name: 'A', value: '1' }] };
    const { command } = infoOf({ value: 'true', uris, environment, user: 'nobody' });
    expect(command).toMatchObject({ uris, environment, user: 'nobody' });
  });
});
