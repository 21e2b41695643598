import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseResources, type Resource } from '../protocol/index.ts';
import { FRAMEWORK, launch, type TestScheduler, taskOn, World } from './testing/world.ts';

/*
 * What a framework may send by mistake or malice. Most of these would keep a master busy for minutes
 * (work for each pair of what is named), or fill its memory: then the test runs out of time.
 */

let world: World;

beforeEach(async () => {
  world = new World();
  await world.startMaster();
});
afterEach(async () => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
});

const names = (count: number, prefix = 'n'): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const errors = (scheduler: TestScheduler) =>
  scheduler.of('ERROR').map(({ error }) => error.message);
const get = async (url: string) => (await world.master.app.inject({ url })).json();

describe('endless lists', () => {
  it('of offers in an ACCEPT are refused, and the offer is gone', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('s');
    const { offer } = scheduler;
    const offer_ids = names(300_000).map((value) => ({ value }));
    const accept = { ...launch(offer, taskOn(offer, 'a')) };
    if (accept.type !== 'ACCEPT') throw new Error('no ACCEPT');
    const call = { ...accept.accept, offer_ids: [...offer_ids, offer.id] };
    await world.call(scheduler, { type: 'ACCEPT', accept: call });
    expect(scheduler.updates('a')).toEqual(['TASK_DROPPED REASON_INVALID_OFFERS']);
  });

  it('of roles are refused, in a subscription and when they are suppressed', async () => {
    const many = await world.startScheduler('s', { ...FRAMEWORK, roles: names(100_000) });
    expect(errors(many)).toEqual(["'FrameworkInfo.roles' has more than 10000 items"]);
    const scheduler = await world.startScheduler('t', { ...FRAMEWORK, roles: names(9000) });
    const roles = [...names(200_000, 'other'), 'n1'];
    await world.call(scheduler, { type: 'SUPPRESS', suppress: { roles } });
    const suppressed = (await get('/metrics/snapshot')) as Record<string, number>;
    const on = Object.entries(suppressed).filter(
      ([name, value]) => name.endsWith('/suppressed') && value === 1,
    );
    expect(on).toHaveLength(1);
  });

  it('of resources in a task are refused', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('s');
    const task = taskOn(scheduler.offer, 'a');
    const resources = names(50_000).map((name) => ({
      ...{ name, type: 'SCALAR' as const, scalar: { value: 1 } },
    }));
    await world.call(scheduler, launch(scheduler.offer, { ...task, resources }));
    expect(scheduler.statuses('a')[0]?.message).toBe(
      'Task uses invalid resources: More than 500 resources',
    );
  });
});

describe('roles', () => {
  it.each([
    ['of a great many levels', 'a/'.repeat(200_000).slice(0, -1), 'is longer than 1024 bytes'],
    ['of many levels', 'a/'.repeat(40).slice(0, -1), 'has more than 32 levels'],
  ])('%s are refused', async (_what, role, why) => {
    const scheduler = await world.startScheduler('s', { ...FRAMEWORK, roles: [role] });
    expect(errors(scheduler)).toEqual([expect.stringContaining(why)]);
  });

  it('may be called as what every object has', async () => {
    const roles = ['__proto__', 'constructor', 'toString'];
    await world.startAgent('agent-1', 'cpus:8;mem:8192;cpus(__proto__):1');
    const scheduler = await world.startScheduler('s', { ...FRAMEWORK, roles });
    await world.call(scheduler, launch(scheduler.offer, taskOn(scheduler.offer, '__proto__')));
    expect(scheduler.updates('__proto__').at(-1)).toBe('TASK_RUNNING');
    const shown = await get('/roles');
    expect(shown.roles.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(roles),
    );
    const [agent] = (await get('/slaves')).slaves;
    expect(Object.keys(agent.reserved_resources)).toEqual(['__proto__']);
    for (const url of ['/state', '/state-summary', '/tasks', '/frameworks', '/metrics/snapshot']) {
      expect([url, (await world.master.app.inject({ url })).statusCode]).toEqual([url, 200]);
    }
  });
});

describe('numbers', () => {
  it.each([Number.NaN, -1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 1e300])(
    'of cpus such as %d make a task invalid',
    async (value) => {
      await world.startAgent('agent-1');
      const scheduler = await world.startScheduler('s', FRAMEWORK, 'protobuf');
      const cpus: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value } };
      const task = { ...taskOn(scheduler.offer, 'a'), resources: [cpus] };
      await world.call(scheduler, launch(scheduler.offer, task));
      expect(scheduler.updates('a')).toEqual(['TASK_ERROR REASON_TASK_INVALID']);
    },
  );

  it.each([
    [Number.NaN, true],
    [-1e300, true],
    [1e300, false],
    [Number.POSITIVE_INFINITY, false],
  ])('of seconds to refuse such as %d are bounded', async (refuse_seconds, comesAgain) => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('s', FRAMEWORK, 'protobuf');
    const decline = { offer_ids: [scheduler.offer.id], filters: { refuse_seconds } };
    await world.call(scheduler, { type: 'DECLINE', decline });
    const before = scheduler.offers.length;
    // Without a number that makes sense it is Mesos' five seconds.
    await world.run(60_000);
    expect(scheduler.offers.length > before).toBe(comesAgain);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, 1e300])(
    'of seconds to fail over in such as %d are refused',
    async (failover_timeout) => {
      const info = { ...FRAMEWORK, failover_timeout };
      const scheduler = await world.startScheduler('s', info, 'protobuf');
      expect(errors(scheduler)).toEqual([expect.stringContaining('failover_timeout')]);
    },
  );
});

describe('a framework that cuts everything into crumbs', () => {
  it('may take every second port, and the others are offered', async () => {
    await world.startAgent('agent-1', 'cpus:8;mem:8192;ports:[1-60000]');
    const scheduler = await world.startScheduler('s');
    const task = taskOn(scheduler.offer, 'a');
    const range = Array.from({ length: 30_000 }, (_, index) => ({
      ...{ begin: 2 * index + 1, end: 2 * index + 1 },
    }));
    const ports: Resource = { name: 'ports', type: 'RANGES', ranges: { range } };
    const resources = [...(task.resources ?? []), ports];
    await world.call(scheduler, launch(scheduler.offer, { ...task, resources }));
    expect(scheduler.updates('a').at(-1)).toBe('TASK_RUNNING');
    const left = scheduler.offer.resources?.find(({ name }) => name === 'ports');
    expect(left?.ranges?.range).toHaveLength(30_000);
    expect(left?.ranges?.range?.[0]).toEqual({ begin: 2, end: 2 });
  });

  it('may not make thousands of different reservations on one agent', async () => {
    await world.startAgent('agent-1');
    const scheduler = await world.startScheduler('s');
    const operations = names(600).map((label) => ({
      type: 'RESERVE' as const,
      id: { value: label },
      reserve: {
        resources: parseResources('cpus:0.001').map((each) => ({
          ...each,
          reservations: [
            { type: 'DYNAMIC' as const, role: 'eng', labels: { labels: [{ key: label }] } },
          ],
        })),
      },
    }));
    const accept = { offer_ids: [scheduler.offer.id], operations };
    await world.call(scheduler, { type: 'ACCEPT', accept });
    const refused = scheduler
      .of('UPDATE_OPERATION_STATUS')
      .map(({ update_operation_status: { status } }) => status)
      .filter(({ state }) => state === 'OPERATION_ERROR');
    expect(refused.length).toBeGreaterThan(90);
    expect(refused.length).toBeLessThan(110);
    expect(refused[0]?.message).toContain('More than 500 resources');
  });
});

describe('a name of megabytes', () => {
  it('goes neither into the registry nor into each metric', async () => {
    const name = 'x'.repeat(2_000_000);
    const scheduler = await world.startScheduler('s', { ...FRAMEWORK, name });
    expect(scheduler.id).not.toBe('');
    expect(JSON.stringify(await world.registry.load()).length).toBeLessThan(10_000);
    const { body } = await world.master.app.inject({ url: '/metrics/snapshot' });
    expect(body.length).toBeLessThan(200_000);
  });
});
