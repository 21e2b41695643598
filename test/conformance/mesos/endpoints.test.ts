import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callAgent } from './support/agent.ts';
import { RawFramework } from './support/framework.ts';
import { ask } from './support/raw-http.ts';
import { openTarget, operate, type Target } from './support/target.ts';
import { ENCODINGS } from './support/wire.ts';

/** Keys that tools and Mesos' web pages read, by path: what comes is JSON. */
const MASTER: readonly (readonly [path: string, keys: readonly string[]])[] = [
  ['/state', ['id', 'pid', 'version', 'slaves', 'frameworks', 'completed_frameworks', 'flags']],
  ['/state-summary', ['hostname', 'slaves', 'frameworks']],
  ['/slaves', ['slaves', 'recovered_slaves']],
  ['/frameworks', ['frameworks', 'completed_frameworks']],
  ['/tasks', ['tasks']],
  ['/roles', ['roles']],
  ['/quota', []],
  ['/weights', []],
  ['/maintenance/schedule', []],
  ['/maintenance/status', []],
  ['/metrics/snapshot', ['master/elected', 'master/slaves_active', 'system/cpus_total']],
  ['/version', ['version']],
  ['/flags', ['flags']],
];
const AGENT: typeof MASTER = [
  ['/state', ['id', 'pid', 'version', 'resources', 'attributes', 'frameworks', 'flags']],
  ['/containers', []],
  ['/monitor/statistics', []],
  ['/metrics/snapshot', ['slave/registered', 'slave/tasks_running', 'system/cpus_total']],
  ['/version', ['version']],
  ['/flags', ['flags']],
];
/** Below the name of the process, too: there, tools look for those that are not the library's own. */
const MASTER_PROCESS = ['/state', '/state-summary', '/slaves', '/frameworks', '/tasks', '/roles'];

let target: Target;
beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stop());

async function keysAt(url: string): Promise<readonly string[]> {
  const { status, headers, body } = await ask({ url, method: 'GET' });
  expect({ status, type: headers['content-type'] }).toEqual({
    ...{ status: 200, type: 'application/json' },
  });
  return Object.keys(JSON.parse(body.toString()));
}

describe('the endpoints from before the v1 API', () => {
  it.each(MASTER)('%s of the master', async (path, keys) => {
    expect(await keysAt(target.master + path)).toEqual(expect.arrayContaining([...keys]));
  });

  it.each(MASTER_PROCESS)('/master%s is the same', async (path) => {
    expect(await keysAt(`${target.master}/master${path}`)).toEqual(
      await keysAt(target.master + path),
    );
  });

  it.each(AGENT)('%s of the agent', async (path, keys) => {
    expect(await keysAt(target.agent + path)).toEqual(expect.arrayContaining([...keys]));
  });

  it('/health says so by its status alone', async () => {
    for (const process of [target.master, target.agent]) {
      const { status, body } = await ask({ url: `${process}/health`, method: 'GET' });
      expect({ status, body: body.toString() }).toEqual({ status: 200, body: '' });
    }
  });

  it('/redirect leads to the leader', async () => {
    for (const path of ['/redirect', '/master/redirect']) {
      const { status, headers } = await ask({ url: target.master + path, method: 'GET' });
      expect(status).toBe(307);
      expect(headers.location).toMatch(new RegExp(`^//.+:${new URL(target.master).port}`));
    }
  });
});

/** libmesos' v1 scheduler and executor libraries know no others. */
describe.each(ENCODINGS)('the v1 API below the names of the processes, in %s', (encoding) => {
  it('subscribes frameworks', async () => {
    const framework = await RawFramework.subscribe(`${target.master}/master`, encoding);
    expect(framework.events[0]).toMatchObject({ type: 'SUBSCRIBED' });
    const { status } = await framework.call({ type: 'TEARDOWN' });
    expect(status).toBe(202);
  });

  it('answers operators, at the master and at the agent', async () => {
    const master = `${target.master}/master`;
    const agent = { encoding, target: { ...target, agent: `${target.agent}/slave(1)` } };
    expect((await operate(master, encoding, { type: 'GET_HEALTH' })).status).toBe(200);
    expect((await callAgent(agent, { type: 'GET_HEALTH' })).status).toBe(200);
  });

  it('reads what executors say', async () => {
    const post = async (prefix: string) => {
      const url = `${target.agent}${prefix}/api/v1/executor`;
      const headers = { 'content-type': 'application/json' };
      const { status, body } = await ask({ url, method: 'POST', headers, body: Buffer.from('{') });
      return { status, text: body.toString() };
    };
    expect(await post('/slave(1)')).toEqual(await post(''));
    expect((await post('/slave(1)')).status).toBe(400);
  });
});
