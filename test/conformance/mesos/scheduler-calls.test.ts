import { sleep, systemClock } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Offer, SchedulerCall } from '../../../mesos-core/src/protocol/index.ts';
import { FRAMEWORK, RawFramework } from './support/framework.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { allocated, commandTask, executorTask, isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS, type Encoding } from './support/wire.ts';

/** What a case works with: a framework that is subscribed, and an offer. */
interface Scene {
  readonly target: Target;
  readonly encoding: Encoding;
  readonly framework: RawFramework;
  readonly offer: Offer;
}

interface Case {
  readonly call: SchedulerCall['type'];
  readonly does: string;
  readonly run: (scene: Scene) => Promise<void>;
}

const CASES: readonly Case[] = [
  {
    call: 'SUBSCRIBE',
    does: 'is answered by SUBSCRIBED first, then HEARTBEAT, and a stream id',
    run: async ({ framework, encoding }) => {
      expect(framework.headers['content-type']).toBe(
        encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      );
      expect(framework.streamId).toMatch(/^[0-9a-f-]{36}$/);
      const [first, second] = framework.events;
      expect(first).toMatchObject({
        type: 'SUBSCRIBED',
        subscribed: { heartbeat_interval_seconds: 15, master_info: { port: expect.any(Number) } },
      });
      expect(second?.type).toBe('HEARTBEAT');
    },
  },
  {
    call: 'SUBSCRIBE',
    does: 'with a known id takes over from the older stream, which is told so and ended',
    run: async ({ target, encoding, framework }) => {
      const next = await RawFramework.subscribe(target.master, encoding, {
        id: { value: framework.id },
      });
      const { error } = await framework.next('ERROR');
      expect(error.message).toBe('Framework failed over');
      await framework.ended();
      expect(next.id).toBe(framework.id);
      await next.teardown();
    },
  },
  {
    call: 'TEARDOWN',
    does: 'ends the tasks and the stream, and the id for ever',
    run: async ({ target, encoding, framework, offer }) => {
      await framework.launch(offer, commandTask(offer, 'sleep 1000'));
      await framework.accepted({ type: 'TEARDOWN' });
      await framework.ended();
      const late = await framework.call({ type: 'REVIVE' });
      expect({ status: late.status, body: late.body.toString() }).toEqual({
        ...{ status: 400, body: 'Framework cannot be found' },
      });
      const again = await RawFramework.open(target.master, encoding, {
        id: { value: framework.id },
      });
      expect((await again.next('ERROR')).error.message).toBe('Framework has been removed');
      await again.ended();
    },
  },
  {
    call: 'ACCEPT',
    does: 'with LAUNCH runs a command to its end',
    run: async ({ framework, offer }) => {
      const task = commandTask(offer, 'true');
      await framework.launch(offer, task);
      const id = task.task_id.value;
      expect(await framework.status(id, 'TASK_STARTING')).toMatchObject({
        source: 'SOURCE_EXECUTOR',
      });
      await framework.status(id, 'TASK_RUNNING');
      expect(await framework.status(id, 'TASK_FINISHED')).toMatchObject({
        message: 'Command exited with status 0',
      });
    },
  },
  {
    call: 'ACCEPT',
    does: 'with LAUNCH tells how a command failed',
    run: async ({ framework, offer }) => {
      const task = commandTask(offer, 'exit 3');
      await framework.launch(offer, task);
      expect(await framework.status(task.task_id.value, 'TASK_FAILED')).toMatchObject({
        ...{ message: 'Command exited with status 3' },
      });
    },
  },
  {
    call: 'ACCEPT',
    does: 'of more than is offered is a TASK_ERROR',
    run: async ({ framework, offer }) => {
      const task = { ...commandTask(offer, 'true'), resources: allocated(offer, 'cpus:100000') };
      await framework.launch(offer, task);
      expect(await framework.status(task.task_id.value, 'TASK_ERROR')).toMatchObject({
        ...{ source: 'SOURCE_MASTER', reason: 'REASON_TASK_INVALID' },
      });
    },
  },
  {
    call: 'ACCEPT',
    does: 'of an offer that is used up drops the tasks',
    run: async ({ framework, offer }) => {
      await framework.launch(offer, commandTask(offer, 'true'));
      const late = commandTask(offer, 'true');
      await framework.launch(offer, late);
      const status = await framework.status(late.task_id.value, 'TASK_DROPPED');
      expect(status).toMatchObject({
        reason: 'REASON_INVALID_OFFERS',
        message: `Task launched with invalid offers: Offer ${offer.id.value} is no longer valid`,
      });
    },
  },
  {
    call: 'DECLINE',
    does: 'gives the offer back, for later',
    run: async ({ framework, offer }) => {
      await framework.accepted({
        type: 'DECLINE',
        decline: { offer_ids: [offer.id], filters: { refuse_seconds: 0.1 } },
      });
      expect((await framework.offer()).agent_id).toEqual(offer.agent_id);
    },
  },
  {
    call: 'REVIVE',
    does: 'forgets what was refused for long',
    run: async ({ framework, offer }) => {
      const filters = { refuse_seconds: 10_000 };
      await framework.accepted({ type: 'DECLINE', decline: { offer_ids: [offer.id], filters } });
      await framework.accepted({ type: 'REVIVE' });
      expect((await framework.offer()).agent_id).toEqual(offer.agent_id);
    },
  },
  {
    call: 'SUPPRESS',
    does: 'ends the offers until REVIVE',
    run: async ({ framework, offer }) => {
      await framework.accepted({ type: 'SUPPRESS' });
      const filters = { refuse_seconds: 0 };
      await framework.accepted({ type: 'DECLINE', decline: { offer_ids: [offer.id], filters } });
      const before = framework.events.filter(({ type }) => type === 'OFFERS').length;
      await sleep(systemClock, 2500);
      expect(framework.events.filter(({ type }) => type === 'OFFERS')).toHaveLength(before);
      await framework.accepted({ type: 'REVIVE' });
      await framework.offer();
    },
  },
  {
    call: 'KILL',
    does: 'ends a task, by way of TASK_KILLING',
    run: async ({ framework, offer }) => {
      const task = commandTask(offer, 'sleep 1000');
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      const kill = { task_id: task.task_id, agent_id: offer.agent_id };
      await framework.accepted({ type: 'KILL', kill });
      await framework.status(task.task_id.value, 'TASK_KILLING');
      expect(await framework.status(task.task_id.value, 'TASK_KILLED')).toMatchObject({
        ...{ source: 'SOURCE_EXECUTOR', message: 'Command terminated with signal Terminated' },
      });
    },
  },
  {
    call: 'KILL',
    does: 'with a KillPolicy waits no longer than its grace period',
    run: async ({ framework, offer }) => {
      const task = commandTask(offer, "trap '' TERM; while true; do sleep 0.1; done");
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      const kill_policy = { grace_period: { nanoseconds: 500_000_000 } };
      await framework.accepted({ type: 'KILL', kill: { task_id: task.task_id, kill_policy } });
      expect(await framework.status(task.task_id.value, 'TASK_KILLED')).toMatchObject({
        message: 'Command terminated with signal Killed',
      });
    },
  },
  {
    call: 'ACKNOWLEDGE',
    does: 'ends the repetition of an update',
    run: async ({ framework, offer }) => {
      const task = executorTask(offer, uniqueId('executor'));
      await framework.launch(offer, task);
      const first = await framework.next('UPDATE');
      const again = await framework.next('UPDATE');
      expect(again.update.status.uuid).toBe(first.update.status.uuid);
      await framework.acknowledge(again.update.status);
      await sleep(systemClock, 500);
      const before = framework.events.filter(({ type }) => type === 'UPDATE').length;
      await sleep(systemClock, 12_000);
      expect(framework.events.filter(({ type }) => type === 'UPDATE')).toHaveLength(before);
    },
  },
  {
    call: 'RECONCILE',
    does: 'tells the state of tasks that are named, known or not, and of all when none is',
    run: async ({ framework, offer }) => {
      const task = commandTask(offer, 'sleep 1000');
      await framework.launch(offer, task);
      const id = task.task_id.value;
      await framework.status(id, 'TASK_RUNNING');
      const unknown = { task_id: { value: uniqueId('unknown') }, agent_id: offer.agent_id };
      const tasks = [{ task_id: task.task_id }, unknown];
      await framework.accepted({ type: 'RECONCILE', reconcile: { tasks } });
      const reason = 'REASON_RECONCILIATION';
      expect(await framework.status(id, 'TASK_RUNNING')).toMatchObject({
        ...{ reason, source: 'SOURCE_MASTER' },
      });
      expect(await framework.status(unknown.task_id.value, 'TASK_GONE')).toMatchObject({ reason });
      await framework.accepted({ type: 'RECONCILE', reconcile: { tasks: [] } });
      expect(await framework.status(id, 'TASK_RUNNING')).toMatchObject({ reason });
    },
  },
  {
    call: 'MESSAGE',
    does: 'reaches the executor, and its answer the framework',
    run: async ({ framework, offer }) => {
      const executor_id = { value: uniqueId('executor') };
      const task = executorTask(offer, executor_id.value);
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      const data = Buffer.from('ping').toString('base64');
      const message = { agent_id: offer.agent_id, executor_id, data };
      await framework.accepted({ type: 'MESSAGE', message });
      const answer = await framework.next('MESSAGE');
      expect(answer.message.executor_id).toEqual(executor_id);
      expect(Buffer.from(answer.message.data, 'base64').toString()).toBe('pong');
    },
  },
  {
    call: 'SHUTDOWN',
    does: 'ends the executor and its tasks',
    run: async ({ framework, offer }) => {
      const executor_id = { value: uniqueId('executor') };
      const task = executorTask(offer, executor_id.value);
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      const shutdown = { executor_id, agent_id: offer.agent_id };
      await framework.accepted({ type: 'SHUTDOWN', shutdown });
      const { failure } = await framework.next('FAILURE');
      expect(failure).toMatchObject({ executor_id, agent_id: offer.agent_id });
    },
  },
  {
    call: 'REQUEST',
    does: 'is taken, and nothing follows',
    run: async ({ framework, offer }) => {
      const requests = [{ resources: allocated(offer, 'cpus:1') }];
      await framework.accepted({ type: 'REQUEST', request: { requests } });
    },
  },
  {
    call: 'UPDATE_FRAMEWORK',
    does: 'is answered 200; offers of a role that is given up are rescinded',
    run: async ({ framework, offer }) => {
      const framework_info = { ...FRAMEWORK, id: { value: framework.id }, roles: ['ops'] };
      const answer = await framework.call({
        ...{ type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } },
      });
      expect({ status: answer.status, body: answer.body.toString() }).toEqual({
        ...{ status: 200, body: '' },
      });
      const { rescind } = await framework.next('RESCIND');
      expect(rescind.offer_id).toEqual(offer.id);
      const next = await framework.offer();
      expect(next.allocation_info?.role).toBe('ops');
    },
  },
];

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

for (const encoding of ENCODINGS) {
  describe(`scheduler calls in ${encoding}`, () => {
    it.each(CASES)('$call $does', { timeout: 60_000 }, async ({ run }) => {
      const framework = await RawFramework.subscribe(target.master, encoding);
      try {
        await run({ target, encoding, framework, offer: await framework.offer(isRoomy) });
      } finally {
        await framework.teardown();
      }
    });
  });
}

proveCoverage(import.meta.url);
