import { HttpTransportError } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { fastify } from 'fastify';
import {
  encodeMessage,
  type MasterResponseGetAgents,
  MEDIA_TYPES,
  type Resource,
} from 'mesos-core/protocol';
import { describe, expect, it } from 'vitest';
import { createHostReader, hostsOf } from './hosts.ts';

const scalar = (name: string, value: number, more: object = {}): Resource =>
  ({ name, type: 'SCALAR', scalar: { value }, ...more }) as Resource;

type Agent = NonNullable<MasterResponseGetAgents['agents']>[number];

function agent(id: string, changes: Partial<Agent> = {}): Agent {
  return {
    agent_info: { hostname: `host-of-${id}`, id: { value: id } },
    active: true,
    version: '1.11.0',
    total_resources: [scalar('cpus', 8), scalar('mem', 8_192)],
    ...changes,
  };
}

describe('the hosts', () => {
  it('have free what no task holds, less the executor where nothing runs yet', () => {
    const allocated_resources = [scalar('cpus', 2.1), scalar('mem', 1_152)];
    const offered_resources = [scalar('cpus', 5)];
    const answer = { agents: [agent('a', { allocated_resources, offered_resources }), agent('b')] };
    expect(hostsOf(answer)).toMatchObject([
      { agentId: 'a', hostName: 'host-of-a', totalVcpus: 8, freeVcpus: 5.9, freeMemoryMiB: 7_040 },
      { agentId: 'b', freeVcpus: 7.9, freeMemoryMiB: 8_064 },
    ]);
  });

  it('tell of all else that is counted there', () => {
    const total_resources = [scalar('cpus', 8), scalar('gpus', 2), scalar('hugepages_1g', 4)];
    const allocated_resources = [scalar('cpus', 1), scalar('gpus', 1)];
    const [host] = hostsOf({ agents: [agent('a', { total_resources, allocated_resources })] });
    expect(host?.resources).toEqual({
      gpus: { total: 2, free: 1 },
      hugepages_1g: { total: 4, free: 4 },
    });
  });

  it('are not active when they are deactivated, and revocable resources are not theirs', () => {
    const total_resources = [scalar('cpus', 8), scalar('cpus', 100, { revocable: {} })];
    const agents = [
      agent('a', { deactivated: true, total_resources }),
      agent('b', { active: false }),
    ];
    expect(hostsOf({ agents })).toMatchObject([
      { active: false, totalVcpus: 8 },
      { active: false },
    ]);
    expect(hostsOf({})).toEqual([]);
  });

  it('are read from whichever master answers', async () => {
    const clock = new VirtualClock();
    const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
    const app = fastify();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    app.post('/api/v1', async (_request, reply) => {
      const message = { type: 'GET_AGENTS', get_agents: { agents: [agent('a')] } } as const;
      return reply
        .type(MEDIA_TYPES.protobuf)
        .send(encodeMessage('master.Response', 'protobuf', message));
    });
    await network.attach('http://second:5050', app);
    const masters = () => ['http://first:5050', 'http://second:5050'];
    const read = createHostReader({ transport: network.transport('cluster'), clock, masters });
    const reading = read();
    await clock.run(1_000);
    expect(await reading).toMatchObject([{ agentId: 'a' }]);
    network.detach('http://second:5050');
    const failing = expect(read()).rejects.toBeInstanceOf(HttpTransportError);
    await clock.run(20_000);
    await failing;
  });

  it('are read from nobody while nobody leads', async () => {
    const clock = new VirtualClock();
    const network = new SimulatedNetwork({ clock, random: seededRandom(1) });
    const transport = network.transport('cluster');
    const read = createHostReader({ transport, clock, masters: () => [] });
    await expect(read()).rejects.toThrow('no Mesos master leads');
  });
});
