import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawFramework } from './support/framework.ts';
import { type Operator, order } from './support/operator.ts';
import { OperatorStream } from './support/operator-stream.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { IS_FOREIGN, openTarget, operate, type Target } from './support/target.ts';
import { commandTask } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

/** An agent starts, and runs a task. */
const TIMEOUT_MS = 60_000;

/** An agent that is gone is gone for good: only those that the suite itself has started. */
describe.skipIf(IS_FOREIGN).each(ENCODINGS)('an agent that comes and goes, in %s', (encoding) => {
  it('is told of with AGENT_ADDED; MARK_AGENT_GONE ends its tasks, with FAILURE to frameworks and AGENT_REMOVED to operators', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const operator: Operator = { target, encoding };
    const stream = await OperatorStream.subscribe(operator);
    await stream.next('SUBSCRIBED');
    const { hostname } = await target.addAgent();
    const { agent_added } = await stream.next(
      'AGENT_ADDED',
      (event) => event.agent_added.agent.agent_info.hostname === hostname,
    );
    expect(agent_added.agent).toMatchObject({ active: true, version: expect.any(String) });
    const agent_id = agent_added.agent.agent_info.id ?? { value: '' };

    const framework = await RawFramework.subscribe(target.master, encoding);
    try {
      const offer = await framework.offer((each) => each.hostname === hostname);
      const task = commandTask(offer, 'sleep 1000');
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      await order(operator, { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } });
      expect(await framework.status(task.task_id.value, 'TASK_GONE_BY_OPERATOR')).toMatchObject({
        source: 'SOURCE_MASTER',
      });
      const { failure } = await framework.next('FAILURE');
      expect(failure).toEqual({ agent_id });
      expect((await stream.next('AGENT_REMOVED')).agent_removed).toEqual({ agent_id });
    } finally {
      await framework.teardown();
      stream.close();
    }
  });
});

it.each(ENCODINGS)('MARK_AGENT_GONE of an unknown agent is 404, in %s', async (encoding) => {
  const mark_agent_gone = { agent_id: { value: 'nobody' } };
  const answer = await operate(target.master, encoding, {
    ...{ type: 'MARK_AGENT_GONE', mark_agent_gone },
  });
  expect(answer.status).toBe(404);
});

proveCoverage(import.meta.url);
