import type { ServerResponse } from 'node:http';
import { silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { fastify } from 'fastify';
import {
  decodeMessage,
  encodeMessage,
  encodeRecord,
  MEDIA_TYPES,
  requestEncoding,
  type SchedulerCall,
  type SchedulerEvent,
} from 'mesos-core/protocol';
import { describe, expect, it } from 'vitest';
import { createMesosFramework } from './mesos-framework.ts';

/** A master that keeps calls and says what the test wants. */
class FakeMaster {
  readonly app = fastify();
  readonly calls: SchedulerCall[] = [];
  #stream: ServerResponse | undefined;

  constructor() {
    this.app.removeAllContentTypeParsers();
    this.app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    this.app.post<{ Body: Buffer }>('/api/v1/scheduler', (request, reply) => {
      const encoding = requestEncoding(request.headers['content-type']);
      const call = decodeMessage('scheduler.Call', encoding, request.body);
      this.calls.push(call);
      if (call.type !== 'SUBSCRIBE') return reply.code(202).send();
      reply.hijack();
      const id = `stream-${this.calls.length}`;
      const type = MEDIA_TYPES.protobuf;
      reply.raw.writeHead(200, { 'content-type': type, 'mesos-stream-id': id });
      reply.raw.flushHeaders();
      this.#stream = reply.raw;
      return undefined;
    });
  }

  get subscribes() {
    return this.calls.flatMap((call) => (call.type === 'SUBSCRIBE' ? [call] : []));
  }

  send(event: SchedulerEvent): void {
    this.#stream?.write(encodeRecord(encodeMessage('scheduler.Event', 'protobuf', event)));
  }

  end(): void {
    this.#stream?.end();
  }
}

async function setUp(frameworkId?: string) {
  const clock = new VirtualClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
  const master = new FakeMaster();
  await network.attach('http://master:5050', master.app);
  const events: string[] = [];
  const fenced: Error[] = [];
  const framework = createMesosFramework({
    clock,
    random: seededRandom(2),
    logger: silentLogger,
    transport: network.transport('vm-scheduler'),
    masters: ['http://master:5050'],
    role: 'compute-factory',
    principal: 'factory',
    onFenced: (error) => fenced.push(error),
  });
  framework.start(frameworkId, {
    onEvent: (event) => events.push(event.type),
    onDisconnected: () => events.push('disconnected'),
  });
  const subscribe = async (id: string, count = 1): Promise<void> => {
    await clock.runUntil(() => master.subscribes.length >= count, 60_000);
    master.send({ type: 'SUBSCRIBED', subscribed: { framework_id: { value: id } } });
    await clock.run(10);
  };
  return { clock, network, master, framework, events, fenced, subscribe };
}

describe('the Mesos framework', () => {
  it('subscribes as what it is', async () => {
    const { clock, master, framework, events, subscribe } = await setUp();
    await subscribe('framework-1');
    expect(events).toEqual(['SUBSCRIBED']);
    expect(master.subscribes[0]?.subscribe.framework_info).toEqual({
      user: 'root',
      name: 'vm-scheduler',
      failover_timeout: 604_800,
      checkpoint: true,
      roles: ['compute-factory'],
      principal: 'factory',
      capabilities: [
        { type: 'PARTITION_AWARE' },
        { type: 'MULTI_ROLE' },
        { type: 'RESERVATION_REFINEMENT' },
        { type: 'GPU_RESOURCES' },
        { type: 'TASK_KILLING_STATE' },
      ],
    });
    const called = framework.call({ type: 'REVIVE', framework_id: { value: 'framework-1' } });
    await clock.run(100);
    await called;
    expect(master.calls.at(-1)).toMatchObject({
      type: 'REVIVE',
      framework_id: { value: 'framework-1' },
    });
    await framework.close();
  });

  it('comes back under its id, from an earlier run and after a broken connection', async () => {
    const { clock, master, framework, events, subscribe } = await setUp('framework-7');
    await subscribe('framework-7');
    expect(master.subscribes[0]?.framework_id).toEqual({ value: 'framework-7' });
    master.end();
    await clock.run(50);
    expect(events).toEqual(['SUBSCRIBED', 'disconnected']);
    const early = framework.call({ type: 'REVIVE', framework_id: { value: 'framework-7' } });
    await expect(early).rejects.toThrow('subscription');
    await subscribe('framework-7', 2);
    expect(master.subscribes[1]?.framework_id).toEqual({ value: 'framework-7' });
    expect(events.at(-1)).toBe('SUBSCRIBED');
    await framework.close();
  });

  it('registers anew when the master has removed it', async () => {
    const { master, framework, events, fenced, subscribe } = await setUp('framework-7');
    await subscribe('framework-7');
    master.send({ type: 'ERROR', error: { message: 'Framework has been removed' } });
    await subscribe('framework-8', 2);
    expect(master.subscribes[1]?.framework_id).toBeUndefined();
    expect(master.subscribes[1]?.subscribe.framework_info.id).toBeUndefined();
    expect(events.filter((event) => event === 'SUBSCRIBED')).toHaveLength(2);
    expect(events).toContain('disconnected');
    expect(fenced).toEqual([]);
    await framework.close();
  });

  it('gives up when another scheduler has taken its place', async () => {
    const { clock, master, framework, fenced, subscribe } = await setUp('framework-7');
    await subscribe('framework-7');
    master.send({ type: 'ERROR', error: { message: 'Framework failed over' } });
    await clock.run(60_000);
    expect(fenced).toMatchObject([{ code: 'MESOS_ERR_SUBSCRIPTION_REJECTED' }]);
    expect(master.subscribes).toHaveLength(1);
    await framework.close();
  });

  it('refuses calls before it is started, and subscribing by hand', async () => {
    const { framework } = await setUp();
    const subscribe = { type: 'SUBSCRIBE', subscribe: { framework_info: { user: '', name: '' } } };
    await expect(framework.call(subscribe as SchedulerCall)).rejects.toThrow('by itself');
    await framework.close();
  });
});
