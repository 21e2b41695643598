import { createUndiciTransport, listen, systemClock } from '@factory/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeMessage, type MasterEvent } from '../protocol/index.ts';
import { FakePeer } from './fake-peer.ts';
import { AgentOperatorClient, MasterOperatorClient } from './operator-client.ts';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A master on a real socket. */
async function startMaster() {
  const names = { call: 'master.Call', event: 'master.Event' } as const;
  const master = new FakePeer('/api/v1', names);
  const server = await listen(master.app, { host: '127.0.0.1', port: 0, graceMs: 100 });
  const transport = createUndiciTransport();
  cleanUps.push(
    () => server.close(),
    () => transport.close(),
  );
  return { master, url: server.url, options: { transport, clock: systemClock, url: server.url } };
}

const health = { type: 'GET_HEALTH', get_health: { healthy: true } } as const;

describe('an operator client', () => {
  it.each(['json', 'protobuf'] as const)('gets the response to its call (%s)', async (encoding) => {
    const { master, options } = await startMaster();
    master.answer = () => ({
      status: 200,
      headers: {
        'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      },
      body: Buffer.from(encodeMessage('master.Response', encoding, health)),
    });
    const client = new MasterOperatorClient({ ...options, encoding });
    const response = await client.call({ type: 'GET_HEALTH' });
    expect(response.get_health.healthy).toBe(true);
    expect(master.calls).toEqual([{ type: 'GET_HEALTH' }]);
  });

  it('gets nothing from a call that only does something', async () => {
    const { master, options } = await startMaster();
    const call = { type: 'TEARDOWN', teardown: { framework_id: { value: 'fw' } } } as const;
    expect(await new MasterOperatorClient(options).call(call)).toBeUndefined();
    expect(master.calls).toEqual([call]);
  });

  it('follows a standby to the leader, and stays there', async () => {
    const standby = await startMaster();
    const leader = await startMaster();
    const location = leader.url.replace('http:', '');
    standby.master.answer = () => ({ status: 307, headers: { location } });
    const client = new MasterOperatorClient(standby.options);
    await client.call({ type: 'STOP_MAINTENANCE', stop_maintenance: {} });
    await client.call({ type: 'STOP_MAINTENANCE', stop_maintenance: {} });
    expect(standby.master.calls).toHaveLength(1);
    expect(leader.master.calls).toHaveLength(2);
  });

  it('gives up on standbys that point to each other', async () => {
    const { master, url, options } = await startMaster();
    master.answer = () => ({ status: 307, headers: { location: url } });
    const call = new MasterOperatorClient(options).call({ type: 'GET_HEALTH' });
    await expect(call).rejects.toMatchObject({ code: 'MESOS_ERR_CALL_REFUSED', status: 307 });
  });

  it('refuses a response to another call', async () => {
    const { master, options } = await startMaster();
    const body = Buffer.from(encodeMessage('master.Response', 'json', health));
    const headers = { 'content-type': 'application/json' };
    master.answer = () => ({ status: 200, headers, body });
    const call = new MasterOperatorClient(options).call({ type: 'GET_STATE' });
    await expect(call).rejects.toMatchObject({ code: 'MESOS_ERR_CODEC' });
  });

  it('follows the events of a master', async () => {
    const { master, options } = await startMaster();
    const controller = new AbortController();
    const events = new MasterOperatorClient(options).subscribe(controller.signal);
    const first = events.next();
    await expect.poll(() => master.openStreams).toBe(1);
    const sent: MasterEvent[] = [
      { type: 'SUBSCRIBED', subscribed: { heartbeat_interval_seconds: 0.02 } },
      { type: 'AGENT_REMOVED', agent_removed: { agent_id: { value: 'a' } } },
    ];
    master.send(...sent);
    expect([(await first).value, (await events.next()).value]).toEqual(sent);
    await expect(events.next()).rejects.toMatchObject({
      code: 'MESOS_ERR_SILENT_STREAM',
      silenceMs: 80,
    });
  });

  it('asks agents too', async () => {
    const names = { call: 'agent.Call', event: 'executor.Event' } as const;
    const agent = new FakePeer('/api/v1', names);
    const server = await listen(agent.app, { host: '127.0.0.1', port: 0, graceMs: 100 });
    const transport = createUndiciTransport();
    cleanUps.push(
      () => server.close(),
      () => transport.close(),
    );
    agent.answer = () => ({
      status: 200,
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.from(encodeMessage('agent.Response', 'protobuf', health)),
    });
    const client = new AgentOperatorClient({ transport, clock: systemClock, url: server.url });
    expect(await client.call({ type: 'GET_HEALTH' })).toEqual(health);
  });
});
