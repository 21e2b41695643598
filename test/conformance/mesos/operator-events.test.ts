import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FRAMEWORK, RawFramework } from './support/framework.ts';
import type { Operator } from './support/operator.ts';
import { OperatorStream } from './support/operator-stream.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { openTarget, type Target } from './support/target.ts';
import { commandTask, isRoomy } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

describe.each(ENCODINGS)('the event stream of operators in %s', (encoding) => {
  let operator: Operator;
  let stream: OperatorStream;
  beforeEach(async () => {
    operator = { target, encoding };
    stream = await OperatorStream.subscribe(operator);
  });
  afterEach(() => stream.close());

  it('begins with SUBSCRIBED and the whole state, then HEARTBEAT', async () => {
    const { subscribed } = await stream.next('SUBSCRIBED');
    expect(subscribed.heartbeat_interval_seconds).toBeGreaterThan(0);
    expect(subscribed.get_state?.get_agents?.agents?.[0]).toMatchObject({ active: true });
    await stream.next('HEARTBEAT');
    expect(stream.events.map(({ type }) => type).slice(0, 2)).toEqual(['SUBSCRIBED', 'HEARTBEAT']);
  });

  it('tells of frameworks: FRAMEWORK_ADDED, FRAMEWORK_UPDATED, FRAMEWORK_REMOVED', async () => {
    const framework = await RawFramework.subscribe(target.master, encoding);
    const id = { value: framework.id };
    const { framework_added } = await stream.next('FRAMEWORK_ADDED');
    expect(framework_added.framework).toMatchObject({
      ...{ framework_info: { id, name: FRAMEWORK.name }, active: true, connected: true },
    });
    const framework_info = { ...FRAMEWORK, id, roles: ['ops'] };
    await framework.call({ type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } });
    const { framework_updated } = await stream.next('FRAMEWORK_UPDATED');
    expect(framework_updated.framework.framework_info).toMatchObject({ id, roles: ['ops'] });
    await framework.teardown();
    const { framework_removed } = await stream.next('FRAMEWORK_REMOVED');
    expect(framework_removed.framework_info.id).toEqual(id);
  });

  it('tells of tasks: TASK_ADDED, and TASK_UPDATED for each state', async () => {
    const framework = await RawFramework.subscribe(target.master, encoding);
    try {
      const offer = await framework.offer(isRoomy);
      const task = commandTask(offer, 'true');
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_FINISHED');
      const { task_added } = await stream.next('TASK_ADDED');
      expect(task_added.task).toMatchObject({
        ...{ task_id: task.task_id, framework_id: { value: framework.id }, name: task.name },
        ...{ agent_id: offer.agent_id, state: 'TASK_STAGING' },
      });
      for (const state of ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED'] as const) {
        const { task_updated } = await stream.next('TASK_UPDATED');
        expect(task_updated).toMatchObject({
          framework_id: { value: framework.id },
          status: { task_id: task.task_id, state },
          // The latest that is known, which may be ahead of what is told.
          state: expect.stringMatching(/^TASK_/),
        });
      }
    } finally {
      await framework.teardown();
    }
  });
});

proveCoverage(import.meta.url);
