import { afterEach, describe, expect, it } from 'vitest';
import type { FrameworkInfo, TaskInfo } from '../protocol/index.ts';
import { FRAMEWORK } from './testing/scenario.ts';
import { type ScriptedCommand, startScriptedCommand } from './testing/scripted-command.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

let world: SimulatedWorld;
let commands: ScriptedCommand[];

afterEach(async () => {
  await world.close();
  expect(world.fatalErrors).toEqual([]);
});

async function start(): Promise<void> {
  commands = [];
  world = await createWorld({
    settings: { statusUpdateRetryMinMs: 500 },
    run: (request) => {
      const command = startScriptedCommand(request);
      commands.push(command);
      return command;
    },
  });
}

const KILLING: FrameworkInfo = {
  ...FRAMEWORK,
  capabilities: [...(FRAMEWORK.capabilities ?? []), { type: 'TASK_KILLING_STATE' }],
};

function commandTask(id: string, more: Partial<TaskInfo> = {}): TaskInfo {
  return {
    ...{ name: id, task_id: { value: id }, agent_id: { value: 'agent-1' } },
    command: { value: `run ${id}` },
    ...more,
  };
}

function launch(...tasks: readonly TaskInfo[]): void {
  world.master.send({ type: 'RUN_TASKS', framework: KILLING, tasks });
}

function kill(taskId: string): void {
  world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: taskId });
}

function lastOf(taskId: string) {
  return world.master.updates.findLast(({ task_id }) => task_id.value === taskId);
}

/** Looks over real sockets take real time. */
async function waitFor({ clock }: SimulatedWorld, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !condition(); round += 1) await clock.run(100);
  expect(condition()).toBe(true);
}

describe('a command task', () => {
  it('goes through its states as under an executor of Mesos, and its process is all there is', async () => {
    await start();
    launch(commandTask('a'), commandTask('b'));
    await world.clock.run(1000);
    expect(commands.map(({ request }) => request.command.value)).toEqual(['run a', 'run b']);
    commands[0]?.exit(0);
    commands[1]?.exit(3 << 8);
    await world.clock.run(1000);
    expect(world.updatesOf('a')).toEqual(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED']);
    expect(world.updatesOf('b')).toEqual(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FAILED']);
    expect(lastOf('b')).toMatchObject({
      message: 'Command exited with status 3',
      source: 'SOURCE_EXECUTOR',
      executor_id: { value: 'b' },
      container_status: {
        container_id: { value: commands[1]?.request.containerId },
        network_infos: [{ ip_addresses: [{ protocol: 'IPv4', ip_address: 'agent-1' }] }],
        executor_pid: expect.any(Number),
      },
    });
    expect(lastOf('b')?.reason).toBeUndefined();
  });

  it('has an executor that no master hears of', async () => {
    await start();
    launch(commandTask('a'));
    await world.clock.run(1000);
    world.master.cut();
    await world.clock.run(5000);
    const again = world.master.subscriptions.at(-1);
    expect(again?.executors).toEqual([]);
    expect(again?.tasks).toMatchObject([{ task_id: { value: 'a' }, state: 'TASK_RUNNING' }]);
    expect(again?.tasks[0]?.executor_id).toBeUndefined();
    commands[0]?.exit(0);
    await world.clock.run(1000);
    expect(world.master.calls.filter(({ type }) => type === 'EXECUTOR_EXITED')).toEqual([]);
  });

  it('gets the environment that it asks for, and the names of what it runs in', async () => {
    await start();
    const variables = [
      { name: 'GREETING', value: 'hello' },
      {
        ...{ name: 'PIN', type: 'SECRET' as const },
        secret: { type: 'VALUE' as const, value: { data: 'MTIzNA==' } },
      },
    ];
    launch(commandTask('a', { command: { value: 'env', environment: { variables } } }));
    await world.clock.run(1000);
    const request = commands[0]?.request;
    expect(request?.environment).toMatchObject({
      GREETING: 'hello',
      PIN: '1234',
      MESOS_TASK_ID: 'a',
      MESOS_EXECUTOR_ID: 'a',
      MESOS_CONTAINER_ID: request?.containerId,
      MESOS_SANDBOX: request?.directory,
    });
  });

  it('is killed, and told so in between', async () => {
    await start();
    launch(commandTask('a'));
    await world.clock.run(1000);
    kill('a');
    await world.clock.run(1000);
    expect(world.updatesOf('a').slice(2)).toEqual(['TASK_KILLING', 'TASK_KILLED']);
    expect(lastOf('a')?.message).toBe('Command terminated with signal Terminated');
  });

  it('can be run again under its name when its end is acknowledged', async () => {
    await start();
    launch(commandTask('a'));
    await world.clock.run(1000);
    commands[0]?.exit(0);
    await world.clock.run(1000);
    launch(commandTask('a'));
    await world.clock.run(1000);
    expect(commands).toHaveLength(2);
    expect(lastOf('a')?.state).toBe('TASK_RUNNING');
  });

  it('ends with its framework', async () => {
    await start();
    launch(commandTask('a'));
    await world.clock.run(1000);
    world.master.send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: 'framework-1' });
    await world.clock.run(6000);
    expect(world.host.running.size).toBe(0);
    world.master.cut();
    await world.clock.run(5000);
    expect(world.master.subscriptions.at(-1)).toMatchObject({ frameworks: [], tasks: [] });
  });

  it('tells its health, and dies of being unhealthy', async () => {
    await start();
    launch(
      commandTask('a', {
        health_check: {
          ...{ type: 'COMMAND', command: { value: 'check' } },
          ...{ delay_seconds: 1, interval_seconds: 1, grace_period_seconds: 0 },
          consecutive_failures: 2,
        },
      }),
    );
    await world.clock.run(1100);
    expect(commands[1]?.request.command.value).toBe('check');
    commands[1]?.exit(0);
    for (const index of [2, 3]) {
      await world.clock.run(1200);
      commands[index]?.exit(1 << 8);
    }
    await world.clock.run(5000);
    const told = world.master.updates.map(({ state, healthy }) => [state, healthy]);
    expect(told).toEqual([
      ['TASK_STARTING', undefined],
      ['TASK_RUNNING', undefined],
      ['TASK_RUNNING', true],
      ['TASK_RUNNING', false],
      ['TASK_RUNNING', false],
      ['TASK_KILLING', undefined],
      ['TASK_KILLED', false],
    ]);
  });
});

describe('a command task of an agent that is killed', () => {
  it('goes on, and is told how it ended', async () => {
    await start();
    launch(commandTask('a'), commandTask('b'), commandTask('c'));
    await world.clock.run(1000);
    await world.crashAgent();
    commands[0]?.exit(0);
    commands[1]?.exit(3 << 8);
    await world.startAgent();
    await world.clock.run(2000);
    expect(lastOf('a')).toMatchObject({ state: 'TASK_FINISHED' });
    expect(lastOf('b')).toMatchObject({ message: 'Command exited with status 3' });
    expect(lastOf('c')).toMatchObject({ state: 'TASK_RUNNING' });
    kill('c');
    await world.clock.run(1000);
    expect(lastOf('c')).toMatchObject({ state: 'TASK_KILLED' });
    expect(commands).toHaveLength(3);
  });

  it('is killed when that was wished before, and told so once', async () => {
    await start();
    launch(commandTask('a'));
    await world.clock.run(1000);
    const [command] = commands;
    if (command !== undefined) command.terminate = () => undefined;
    kill('a');
    await world.clock.run(500);
    await world.crashAgent();
    await world.startAgent();
    await world.clock.run(4000);
    expect(world.updatesOf('a').slice(2)).toEqual(['TASK_KILLING', 'TASK_KILLED']);
  });

  it.each([
    ['while it dies', 1],
    ['before it could be told that it has died', 15],
  ])('of ill health, %s, is told to have been unhealthy', async (_when, status) => {
    await start();
    const health = { type: 'TCP' as const, tcp: { port: 1 }, consecutive_failures: 1 };
    const timing = { delay_seconds: 0.1, interval_seconds: 0.1, grace_period_seconds: 0 };
    launch(commandTask('a', { health_check: { ...health, ...timing } }));
    await world.clock.run(50);
    const [command] = commands;
    if (command !== undefined) command.terminate = () => undefined;
    await waitFor(world, () => lastOf('a')?.state === 'TASK_KILLING');
    await world.crashAgent();
    if (status === 15) command?.exit(status);
    await world.startAgent();
    await world.clock.run(5000);
    expect(lastOf('a')).toMatchObject({
      ...{ state: 'TASK_KILLED', healthy: false },
      reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED',
    });
    expect(commands).toHaveLength(1);
  });

  const points = Array.from({ length: 10 }, (_, index) => index + 1).flatMap((count) => [
    { count, isApplied: false },
    { count, isApplied: true },
  ]);

  it.each(points)(
    'at commit $count (on the disk: $isApplied) ends once, and as it did',
    async (death) => {
      await start();
      const before = world.commits.count;
      world.commits.deathAt = { ...death, count: before + death.count };
      launch(commandTask('a'), commandTask('b'));
      await world.clock.run(1000);
      const endAll = (): void => {
        for (const { request, exit } of commands) exit(request.taskId === 'a' ? 0 : 7 << 8);
      };
      endAll();
      await world.clock.run(1000);
      for (let life = 0; life < 2; life += 1) {
        await world.crashAgent();
        await world.startAgent();
        await world.clock.run(2000);
      }
      endAll();
      await world.clock.run(2000);
      const known =
        world.master.subscriptions.at(-1)?.tasks.map((task) => task.task_id.value) ?? [];
      for (const [id, end] of [
        ['a', 'TASK_FINISHED'],
        ['b', 'TASK_FAILED'],
      ] as const) {
        const states = world.updatesOf(id);
        const runs = commands.filter(({ request }) => request.taskId === id);
        expect(runs.length).toBeLessThanOrEqual(1);
        if (states.length === 0) {
          // The agent had not heard of it for sure: it is the master that tells this end.
          expect(runs).toEqual([]);
          expect(known).not.toContain(id);
        } else {
          // Its pid was on the disk, but it had not begun: that is a failed launch.
          const expected = runs.length === 0 ? 'TASK_FAILED' : end;
          expect(states.at(-1)).toBe(expected);
          expect(states.filter((state) => state === expected)).toHaveLength(1);
        }
      }
      expect(world.host.running.size).toBe(0);
      await world.crashAgent();
      await world.startAgent();
      await world.clock.run(1000);
      expect(world.master.subscriptions.at(-1)).toMatchObject({ frameworks: [], tasks: [] });
    },
  );
});
