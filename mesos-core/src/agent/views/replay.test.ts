import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResources } from '../../protocol/index.ts';
import { missingKeys } from '../../testing/missing-keys.ts';
import { FRAMEWORK, task, tinyExecutor } from '../testing/scenario.ts';
import { createWorld, type SimulatedWorld } from '../testing/simulated-world.ts';

interface Recording {
  readonly name: string;
  readonly to?: string;
  readonly request: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  readonly response: { readonly status: number; readonly headers: object; readonly body?: unknown };
}

const FILE = new URL('../../../fixtures/recordings.jsonl', import.meta.url);
const RECORDINGS: readonly Recording[] = readFileSync(FILE, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
  .filter(({ name }: Recording) => /^agent (GET|operator)/.test(name));

/** What a custom executor, which this agent runs here, does not have, nor a simulated container. */
const OTHERWISE = [
  /statistics/,
  /executor_info\.(source|labels)|completed_executors\[\]$/,
  /\.reservations?|reserved_resources(_full)?\.eng|disk|completed_tasks\[\]\.labels/,
  /flags\.(attributes|master|resources)$|^attributes\.|attributes\[\]|statuses\[\].message/,
  /framework_info\.(failover_timeout|labels)|\.role$|allocation_info|executors\[\]\.labels/,
];

let world: SimulatedWorld;

beforeAll(async () => {
  world = await createWorld({ resources: parseResources('cpus:8;mem:1024;ports:[1-9]') });
  const executor = { ...tinyExecutor(), source: 's', resources: parseResources('cpus:1') };
  const tasks = ['runs', 'finishes'].map((id) => ({
    ...task(id, executor),
    resources: parseResources('cpus:0.1'),
  }));
  world.master.send({ type: 'RUN_TASKS', framework: FRAMEWORK, executor, tasks });
  await world.clock.run(1000);
  world.executors[0]?.update('finishes', 'TASK_FINISHED');
  await world.clock.run(1000);
});

afterAll(() => world.close());

describe('what Apache Mesos tells of an agent is told', () => {
  it.each(RECORDINGS.map((recording) => [recording.name, recording] as const))(
    '%s: same status, and no key is missing',
    async (_name, { request, response }) => {
      const { method, path: url, headers, body } = request;
      const payload = body === undefined ? {} : { payload: JSON.stringify(body) };
      const answer = await world.agent.app.inject({ method, url, headers, ...payload });
      expect(answer.statusCode).toBe(response.status);
      if (typeof response.body === 'string') {
        expect(answer.body).toBe(response.body);
        return;
      }
      const missing = missingKeys(response.body, answer.json());
      expect(missing.filter((key) => !OTHERWISE.some((other) => other.test(key)))).toEqual([]);
    },
  );

  it('below the name of its process too', async () => {
    for (const path of ['state', 'flags', 'metrics/snapshot', 'containers', 'files/debug']) {
      const { statusCode } = await world.agent.app.inject({ url: `/slave(1)/${path}` });
      expect([path, statusCode]).toEqual([path, 200]);
    }
  });
});
