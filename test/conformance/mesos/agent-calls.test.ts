import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentApiCall, AgentApiResponse } from '../../../mesos-core/src/protocol/index.ts';
import { callAgent, getFromAgent } from './support/agent.ts';
import { RawFramework } from './support/framework.ts';
import { proveCoverage } from './support/prove-coverage.ts';
import { ask } from './support/raw-http.ts';
import { openTarget, type Target } from './support/target.ts';
import { executorTask, isRoomy, uniqueId } from './support/tasks.ts';
import { ENCODINGS } from './support/wire.ts';

/** Runs beside the queries: one executor with one task. */
interface Scene {
  readonly executorId: string;
  readonly taskId: string;
  readonly frameworkId: string;
}

interface Case {
  readonly call: AgentApiCall & { readonly type: AgentApiResponse['type'] };
  readonly does: string;
  readonly check: (response: AgentApiResponse, scene: Scene) => void;
}

/** What must be in a response, somewhere: the queries differ only in where. */
const holds = (response: AgentApiResponse, id: string) =>
  expect(JSON.stringify(response)).toContain(JSON.stringify(id));

const CASES: readonly Case[] = [
  {
    call: { type: 'GET_HEALTH' },
    does: 'says that the agent is healthy',
    check: (response) => expect(response).toMatchObject({ get_health: { healthy: true } }),
  },
  {
    call: { type: 'GET_VERSION' },
    does: 'names the version',
    check: (response) =>
      expect(response).toMatchObject({
        get_version: { version_info: { version: expect.stringMatching(/^1\.\d+/) } },
      }),
  },
  {
    call: { type: 'GET_METRICS', get_metrics: {} },
    does: 'gives figures by name',
    check: (response) => holds(response, 'slave/tasks_running'),
  },
  {
    call: { type: 'GET_AGENT' },
    does: 'describes the agent',
    check: (response) => holds(response, 'rack'),
  },
  {
    call: { type: 'GET_STATE' },
    does: 'gives tasks, executors and frameworks together',
    check: (response, { taskId, executorId, frameworkId }) => {
      for (const id of [taskId, executorId, frameworkId]) holds(response, id);
    },
  },
  {
    call: { type: 'GET_CONTAINERS', get_containers: {} },
    does: 'lists containers',
    check: (response, { executorId }) => holds(response, executorId),
  },
  {
    call: { type: 'GET_FRAMEWORKS' },
    does: 'lists frameworks',
    check: (response, { frameworkId }) => holds(response, frameworkId),
  },
  {
    call: { type: 'GET_EXECUTORS' },
    does: 'lists executors',
    check: (response, { executorId }) => holds(response, executorId),
  },
  {
    call: { type: 'GET_TASKS' },
    does: 'lists tasks',
    check: (response, { taskId }) => holds(response, taskId),
  },
  {
    call: { type: 'GET_OPERATIONS' },
    does: 'lists operations, of which there are none',
    check: (response) => expect(response.type).toBe('GET_OPERATIONS'),
  },
  {
    call: { type: 'GET_RESOURCE_PROVIDERS' },
    does: 'lists resource providers, of which there are none',
    check: (response) => expect(response.type).toBe('GET_RESOURCE_PROVIDERS'),
  },
];

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

for (const encoding of ENCODINGS) {
  describe(`agent calls in ${encoding}`, () => {
    let framework: RawFramework;
    let scene: Scene;
    beforeAll(async () => {
      framework = await RawFramework.subscribe(target.master, encoding);
      const executorId = uniqueId('executor');
      const offer = await framework.offer(isRoomy);
      const task = executorTask(offer, executorId);
      await framework.launch(offer, task);
      await framework.status(task.task_id.value, 'TASK_RUNNING');
      scene = { executorId, taskId: task.task_id.value, frameworkId: framework.id };
    });
    afterAll(() => framework.teardown());

    it.each(CASES)('$call.type $does', async ({ call, check }) => {
      check(await getFromAgent({ target, encoding }, call), scene);
    });
  });
}

const NO_PROVIDER = { type: 'org.example.provider', name: 'nobody' };

it.each(ENCODINGS)(
  'calls about resource providers, of which there are none, are refused in %s',
  async (encoding) => {
    const info = { info: NO_PROVIDER };
    const gone = { resource_provider_id: { value: 'nobody' } };
    for (const call of [
      { type: 'ADD_RESOURCE_PROVIDER_CONFIG', add_resource_provider_config: info },
      { type: 'UPDATE_RESOURCE_PROVIDER_CONFIG', update_resource_provider_config: info },
      { type: 'REMOVE_RESOURCE_PROVIDER_CONFIG', remove_resource_provider_config: NO_PROVIDER },
      { type: 'MARK_RESOURCE_PROVIDER_GONE', mark_resource_provider_gone: gone },
    ] as const) {
      expect((await callAgent({ target, encoding }, call)).status).toBeGreaterThanOrEqual(400);
    }
  },
);

it('an executor that nobody launched is refused', async () => {
  const answer = await ask({
    url: `${target.agent}/api/v1/executor`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      ...{ type: 'SUBSCRIBE', executor_id: { value: 'x' }, framework_id: { value: 'y' } },
      subscribe: {},
    }),
  });
  expect({ status: answer.status, body: answer.body.toString() }).toEqual({
    ...{ status: 400, body: 'Framework cannot be found' },
  });
});

proveCoverage(import.meta.url);
