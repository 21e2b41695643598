import { silentLogger } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { afterEach, describe, expect, it } from 'vitest';
import { ExecutorClient, readExecutorEnvironment } from '../client/index.ts';
import type { ExecutorEvent } from '../protocol/index.ts';
import { runTasks, tinyExecutor } from './testing/scenario.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

let world: SimulatedWorld;

afterEach(async () => {
  await world.close();
  expect(world.fatalErrors).toEqual([]);
});

describe('an agent and an executor with our own client', () => {
  it.each(['json', 'protobuf'] as const)(
    'understand each other in %s, over a crash',
    async (encoding) => {
      const events: ExecutorEvent['type'][] = [];
      world = await createWorld({
        settings: { executorReregistrationTimeoutMs: 5000 },
        run: (request, network, clock) => {
          const { promise: exited, resolve } = Promise.withResolvers<number>();
          const client = new ExecutorClient({
            ...{ clock, random: seededRandom(7), logger: silentLogger, encoding },
            transport: network.transport('client'),
            environment: readExecutorEnvironment(request.environment),
            onEvent(event) {
              events.push(event.type);
              if (event.type === 'LAUNCH') {
                client.update({ task_id: event.launch.task.task_id, state: 'TASK_RUNNING' });
              }
              if (event.type === 'KILL') {
                client.update({ task_id: event.kill.task_id, state: 'TASK_KILLED' });
              }
              if (event.type === 'MESSAGE') void client.message(event.message.data);
            },
          });
          client.run().then(
            () => resolve(0),
            () => resolve(1 << 8),
          );
          return { exited, kill: () => void client.stop() };
        },
      });
      world.master.send(runTasks(tinyExecutor(), 'a', 'b'));
      await world.clock.run(1000);
      expect(world.updatesOf('a')).toEqual(['TASK_RUNNING']);
      await world.crashAgent();
      await world.startAgent();
      await world.clock.run(4000);
      const ids = { framework_id: 'framework-1', executor_id: 'executor-1' };
      world.master.send({ type: 'MESSAGE', ...ids, data: 'cGluZw==' });
      world.master.send({ type: 'KILL_TASK', framework_id: 'framework-1', task_id: 'a' });
      await world.clock.run(1000);
      expect(world.updatesOf('a')).toEqual(['TASK_RUNNING', 'TASK_KILLED']);
      expect(world.updatesOf('b')).toEqual(['TASK_RUNNING']);
      expect(world.master.calls).toContainEqual(
        expect.objectContaining({ type: 'MESSAGE', data: 'cGluZw==' }),
      );
      expect(events.filter((type) => type === 'LAUNCH')).toHaveLength(2);
      world.master.send({ type: 'SHUTDOWN_EXECUTOR', ...ids });
      await world.clock.run(10_000);
      expect(events.at(-1)).toBe('SHUTDOWN');
      expect(world.host.running.size).toBe(0);
      expect(world.updatesOf('b')).toEqual(['TASK_RUNNING', 'TASK_FAILED']);
    },
  );
});
