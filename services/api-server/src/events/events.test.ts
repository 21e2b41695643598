import { EVENT_TYPES, type Event } from '@factory/contracts';
import { createUndiciTransport, listen } from '@factory/runtime';
import { describe, expect, it, vi } from 'vitest';
import { capacityOf } from '../testing/cluster.ts';
import { describeOnEachStore, type StoreTest } from '../testing/each-store.ts';
import { otherProject } from '../testing/factory.ts';
import { withRunning } from '../testing/running.ts';

const DAY_MS = 24 * 3_600_000;

async function eventsOf({ factory }: StoreTest, query = 'limit=1000'): Promise<readonly Event[]> {
  return (await factory.caller.ok('GET', `/v1/events?${query}`)).items;
}

describeOnEachStore('events', (test) => {
  it('tell what became of a batch and its machines, numbered without gaps', async () => {
    const { factory, clock } = test();
    const { cluster, batch, vms, first } = await withRunning(factory, clock, 2);
    const events = await eventsOf(test());
    expect(events.map((each) => each.number)).toEqual(events.map((_, index) => index + 1));
    const ofBatch = events.filter((each) => each.subject === batch.id).map((each) => each.type);
    expect(ofBatch).toEqual(['batch.accepted', 'batch.planned', 'batch.stateChanged']);
    const ofFirst = events.filter((each) => each.subject === first.vmId);
    expect(ofFirst.map((each) => each.type)).toEqual(['vm.created', 'vm.stateChanged', 'vm.ready']);
    expect(ofFirst[1]?.data).toMatchObject({
      ...{ batchId: batch.id, name: 'web-1', from: 'scheduled', to: 'running' },
      ...{ clusterId: cluster.clusterId, reason: null, message: null },
    });
    expect(Date.parse(String(ofFirst[1]?.data.since))).toBeGreaterThan(0);
    await factory.caller.ok('DELETE', `/v1/batches/${batch.id}`);
    const gone = vms.map((vm) => cluster.report({ ...vm, generation: 2 }, { state: 'deleted' }));
    await cluster.exchange({ vms: gone });
    const after = await eventsOf(test(), `after=${events.length}&limit=1000`);
    expect(after[0]?.number).toBe(events.length + 1);
    const types = after.map((each) => each.type);
    expect(types.filter((type) => type === 'vm.wished')).toHaveLength(2);
    expect(types.at(-1)).toBe('batch.closed');
  });

  it('tell of volumes, subnets and keys', async () => {
    const { factory } = test();
    await factory.join('idc-1');
    const { caller } = factory;
    const volume = { name: 'scratch', kind: 'directory', sizeGiB: 1 };
    const { id } = await caller.ok('POST', '/v1/volumes', volume);
    await caller.ok('POST', '/v1/subnets', { name: 'lan', cidr: '10.9.0.0/24' });
    const types = (await eventsOf(test())).map((each) => each.type);
    expect(types).toEqual(expect.arrayContaining(['key.created', 'subnet.created']));
    const [made] = await eventsOf(test(), 'types=volume.created');
    expect(made).toMatchObject({ subject: id, data: { name: 'scratch', sizeGiB: 1 } });
  });

  it('are those of the project that asks, and of the types that it asks for', async () => {
    const { factory, clock } = test();
    await withRunning(factory, clock, 3);
    const ready = await factory.caller.ok('GET', '/v1/events?types=vm.ready&limit=2');
    expect(ready.items).toHaveLength(2);
    const rest = await factory.caller.ok('GET', `/v1/events?types=vm.ready&after=${ready.next}`);
    expect(rest.items).toHaveLength(1);
    expect(rest.next).toBe(rest.newest);
    const stranger = factory.caller.as('admin', otherProject());
    expect(await stranger.ok('GET', '/v1/events')).toEqual({ items: [], next: 0, newest: 0 });
    const wrong = await factory.caller.call('GET', '/v1/events?types=vm.exploded');
    expect(wrong.json()).toMatchObject({ status: 400, field: 'types' });
  });

  it('say so when those that are asked for are not kept any more', async () => {
    const { factory, clock } = test();
    await withRunning(factory, clock, 1);
    const { newest } = await factory.caller.ok('GET', '/v1/events');
    clock.shift(8 * DAY_MS);
    const limits = { keptMs: 7 * DAY_MS, keptMax: 1_000 };
    expect(await factory.store.events.forget(clock.nowMs(), limits)).toBe(newest);
    const old = await factory.caller.call('GET', '/v1/events?after=1');
    expect(old.json()).toMatchObject({
      ...{ status: 410, code: 'FACTORY_ERR_EVENTS_FORGOTTEN' },
      ...{ oldest: newest + 1, newest },
    });
    const stream = await factory.caller.call('GET', '/v1/events/stream?after=1');
    expect(stream.statusCode).toBe(410);
    const future = await factory.caller.call('GET', `/v1/events?after=${newest + 1}`);
    expect(future.statusCode).toBe(410);
    const { items } = await factory.caller.ok('GET', `/v1/events?after=${newest}`);
    expect(items).toEqual([]);
  });

  it('forget the oldest when there are too many', async () => {
    const { factory, clock } = test();
    await withRunning(factory, clock, 2);
    const { newest } = await factory.caller.ok('GET', '/v1/events');
    await factory.store.events.forget(clock.nowMs(), { keptMs: DAY_MS, keptMax: 3 });
    const kept = await eventsOf(test());
    expect(kept.map((each) => each.number)).toEqual([newest - 2, newest - 1, newest]);
  });

  it('tell each project with machines there of a cluster that falls silent and comes back', async () => {
    const { factory, clock } = test();
    const { cluster } = await withRunning(factory, clock, 2);
    const { newest } = await factory.caller.ok('GET', '/v1/events');
    const look = () => factory.store.events.tellOfClusters(clock.nowMs() - 60_000);
    clock.shift(120_000);
    await look();
    await look();
    await cluster.exchange({ capacity: capacityOf(clock, 4, { vcpus: 64, memoryMiB: 65_536 }) });
    await look();
    const told = await eventsOf(test(), `after=${newest}`);
    const ofCluster = told.filter((each) => each.subject === cluster.clusterId);
    expect(ofCluster.map((each) => each.type)).toEqual(['cluster.silent', 'cluster.back']);
    expect(ofCluster[0]?.data).toMatchObject({ name: 'idc-1', machines: 2 });
  });

  it('are followed as a stream that goes on where it was broken off', async () => {
    const { factory, clock } = test();
    const { api, caller } = factory;
    const { cluster, vms } = await withRunning(factory, clock, 1);
    const server = await listen(api.app, { host: '127.0.0.1', port: 0 });
    const headers = {
      authorization: 'Bearer internal-token-of-the-tests',
      'x-factory-principal': JSON.stringify(caller.principal),
    };
    const follow = (url: string, more: Record<string, string> = {}) =>
      openStream(`${server.url}${url}`, { ...headers, ...more });
    const first = await follow('/v1/events/stream?types=vm.stateChanged');
    const many = await Promise.all(Array.from({ length: 5 }, () => follow('/v1/events/stream')));
    const report = (state: 'stopping' | 'stopped') =>
      cluster.exchange({ vms: vms.map((vm) => cluster.report(vm, { state, guestReady: false })) });
    await report('stopping');
    await vi.waitFor(() => expect(first.events()).toHaveLength(1), 5_000);
    for (const each of many) await vi.waitFor(() => expect(each.events()).toHaveLength(1), 5_000);
    await first.close();
    await report('stopped');
    const [seen] = first.events();
    const again = await follow('/v1/events/stream?types=vm.stateChanged', {
      'last-event-id': String(seen?.number),
    });
    await vi.waitFor(() => expect(again.events()).toHaveLength(1), 5_000);
    expect(again.events()[0]?.data).toMatchObject({ from: 'stopping', to: 'stopped' });
    for (const each of [...many, again]) await each.close();
    await server.close();
  });
});

/** A reader of server-sent events that keeps what has data. */
async function openStream(url: string, headers: Record<string, string>) {
  const transport = createUndiciTransport();
  const answer = await transport.stream({ method: 'GET', url, headers, timeoutMs: 5_000 });
  expect(answer.headers['content-type']).toBe('text/event-stream');
  let text = '';
  const reading = (async () => {
    for await (const chunk of answer.body) text += new TextDecoder().decode(chunk);
  })();
  reading.catch(() => undefined);
  return {
    events: (): readonly Event[] =>
      text.split('\n\n').flatMap((block) => {
        const line = block.split('\n').find((each) => each.startsWith('data: '));
        return line === undefined ? [] : [JSON.parse(line.slice(6))];
      }),
    close: () => transport.close(),
  };
}

describe('the types of events', () => {
  it('are named after what has changed', () => {
    for (const type of EVENT_TYPES) expect(type).toMatch(/^[a-z]+\.[a-zA-Z]+$/);
  });
});
