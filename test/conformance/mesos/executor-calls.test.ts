import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorCall, Offer, TaskInfo } from '../../../mesos-core/src/protocol/index.ts';
import { RawExecutor } from './support/executor.ts';
import { RawFramework } from './support/framework.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { executorTask, isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS, type Encoding } from './support/wire.ts';

interface Scene {
  readonly framework: RawFramework;
  readonly executor: RawExecutor;
  readonly offer: Offer;
  readonly task: TaskInfo;
  readonly executorId: string;
  /** What the agent gave the executor's process. */
  readonly environment: () => Promise<string>;
}

interface Case {
  readonly call: ExecutorCall['type'];
  readonly does: string;
  readonly run: (scene: Scene) => Promise<void>;
}

/** An agent that is not the suite's own sends one every 30 s. */
const HEARTBEAT_TIMEOUT_MS = 40_000;

const base64 = (text: string) => Buffer.from(text).toString('base64');

const CASES: readonly Case[] = [
  {
    call: 'SUBSCRIBE',
    does: 'is answered by SUBSCRIBED, and LAUNCH of the task',
    run: async ({ executor, executorId, framework, task }) => {
      const { subscribed } = await executor.next('SUBSCRIBED');
      expect(subscribed.executor_info.executor_id.value).toBe(executorId);
      expect(subscribed.framework_info.id?.value).toBe(framework.id);
      expect(subscribed.agent_info.hostname).not.toBe('');
      expect((await executor.next('LAUNCH')).launch.task.task_id).toEqual(task.task_id);
    },
  },
  {
    call: 'SUBSCRIBE',
    does: 'comes from a process that has the documented variables',
    run: async ({ environment, executorId, framework }) => {
      const text = await environment();
      expect(text).toContain(`MESOS_FRAMEWORK_ID=${framework.id}\n`);
      expect(text).toContain(`MESOS_EXECUTOR_ID=${executorId}\n`);
      expect(text).toContain('MESOS_CHECKPOINT=1\n');
      for (const name of [
        ...['AGENT_ENDPOINT', 'DIRECTORY', 'SANDBOX', 'EXECUTOR_SHUTDOWN_GRACE_PERIOD'],
        ...['RECOVERY_TIMEOUT', 'SUBSCRIPTION_BACKOFF_MAX'],
      ]) {
        expect(text).toMatch(new RegExp(`^MESOS_${name}=.+$`, 'm'));
      }
    },
  },
  {
    call: 'UPDATE',
    does: 'reaches the framework, whose acknowledgement comes back',
    run: async ({ executor, framework, task }) => {
      const id = task.task_id.value;
      const uuid = await executor.update(id, 'TASK_RUNNING');
      expect((await framework.status(id, 'TASK_RUNNING')).uuid).toBe(uuid);
      const { acknowledged } = await executor.next('ACKNOWLEDGED');
      expect(acknowledged).toEqual({ task_id: task.task_id, uuid });
    },
  },
  {
    call: 'UPDATE',
    does: 'without a uuid is refused with 400',
    run: async ({ executor, task }) => {
      const status = { task_id: task.task_id, state: 'TASK_RUNNING' as const };
      const { status: code, body } = await executor.call({ type: 'UPDATE', update: { status } });
      expect(code).toBe(400);
      expect(body.toString()).toContain('uuid');
    },
  },
  {
    call: 'MESSAGE',
    does: 'goes both ways',
    run: async ({ executor, executorId, framework, offer }) => {
      const data = base64('hello');
      expect((await executor.call({ type: 'MESSAGE', message: { data } })).status).toBe(202);
      expect((await framework.next('MESSAGE')).message.data).toBe(data);
      const message = { agent_id: offer.agent_id, executor_id: { value: executorId }, data };
      await framework.call({ type: 'MESSAGE', message });
      expect((await executor.next('MESSAGE')).message.data).toBe(data);
    },
  },
  {
    call: 'HEARTBEAT',
    does: 'is taken, and comes from the agent too',
    run: async ({ executor }) => {
      expect((await executor.call({ type: 'HEARTBEAT' })).status).toBe(202);
      await executor.next('HEARTBEAT', HEARTBEAT_TIMEOUT_MS);
    },
  },
  {
    call: 'UPDATE',
    does: 'of TASK_KILLED follows the event KILL, and SHUTDOWN the end of the framework',
    run: async ({ executor, framework, task }) => {
      const id = task.task_id.value;
      await executor.update(id, 'TASK_RUNNING');
      await framework.status(id, 'TASK_RUNNING');
      await framework.call({ type: 'KILL', kill: { task_id: task.task_id } });
      expect((await executor.next('KILL')).kill.task_id).toEqual(task.task_id);
      await executor.update(id, 'TASK_KILLED');
      await framework.status(id, 'TASK_KILLED');
      await framework.call({ type: 'TEARDOWN' });
      await executor.next('SHUTDOWN');
    },
  },
];

let target: Target;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'conformance-'));
  target = await openTarget();
});
afterAll(async () => {
  await target.stop();
  await rm(directory, { recursive: true, force: true });
});

for (const encoding of ENCODINGS) {
  describe(`executor calls in ${encoding}`, () => {
    it.each(CASES)('$call $does', { timeout: 60_000 }, async ({ run }) => play(encoding, run));
  });
}

async function play(encoding: Encoding, run: Case['run']): Promise<void> {
  const framework = await RawFramework.subscribe(target.master, encoding);
  const executorId = uniqueId('executor');
  const executor = new RawExecutor(target.agent, encoding, framework.id, executorId);
  try {
    const offer = await framework.offer(isRoomy);
    const file = join(directory, executorId);
    const task = sleeping(executorTask(offer, executorId), file);
    await framework.launch(offer, task);
    await executor.subscribe();
    const environment = () =>
      waitFor(systemClock, 'the variables', 10_000, async () => {
        const text = await readFile(file, 'utf8').catch(() => '');
        return text.includes('MESOS_SANDBOX') ? text : undefined;
      });
    await run({ framework, executor, offer, task, executorId, environment });
  } finally {
    await framework.teardown();
    executor.close();
  }
}

/** The task with an executor that writes its variables down and sleeps. */
function sleeping(task: TaskInfo, file: string): TaskInfo {
  if (task.executor === undefined) return task;
  const command = { value: `env > ${file}; exec sleep 1000` };
  return { ...task, executor: { ...task.executor, command } };
}

proveCoverage(import.meta.url);
