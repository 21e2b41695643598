import { silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryElection } from '../election/index.ts';
import type { AgentCall } from '../protocol/index.ts';
import { MasterLink, type MasterLinkOptions, type MasterOrder } from './master-link.ts';
import { DEFAULT_AGENT_SETTINGS } from './settings.ts';
import { createFakeMaster, type FakeMaster } from './testing/fake-master.ts';

const EXITED: AgentCall = {
  type: 'EXECUTOR_EXITED',
  agent_id: 'agent-1',
  framework_id: 'f',
  executor_id: 'e',
  container_id: 'c',
  status: 0,
};

let clock: VirtualClock;
let network: SimulatedNetwork;
let masters: FakeMaster[];
let link: MasterLink;
let events: MasterOrder[];
let connections: number;

beforeEach(async () => {
  clock = new VirtualClock();
  const random = seededRandom(1);
  network = new SimulatedNetwork({ clock, random });
  masters = [createFakeMaster({ clock }), createFakeMaster({ clock })];
  for (const [index, master] of masters.entries()) {
    await network.attach(`http://master-${index}`, master.app);
  }
  events = [];
  connections = 0;
  link = newLink({ masters: ['http://master-0', 'http://master-1'] });
});

function newLink(where: Pick<MasterLinkOptions, 'masters' | 'detector'>): MasterLink {
  return new MasterLink({
    ...{ clock, random: seededRandom(1), logger: silentLogger, ...where },
    transport: network.transport('agent'),
    settings: DEFAULT_AGENT_SETTINGS,
    describe: () => ({
      ...{ agent_info: { hostname: 'agent' }, version: '1.12.0', capabilities: [] },
      ...{ total_resources: [], frameworks: [], executors: [], tasks: [] },
    }),
    onRegistered: async () => undefined,
    onConnected: () => {
      connections += 1;
    },
    onEvent: (event) => events.push(event),
  });
}

afterEach(async () => {
  await Promise.all([link.stop(), clock.run(10)]);
});

function master(index: number): FakeMaster {
  const found = masters[index];
  if (found === undefined) throw new Error('no such master');
  return found;
}

describe('the link to the master', () => {
  it('follows a redirect to the leader at once', async () => {
    master(0).refusal = { status: 307, location: '//master-1/internal/v1/agent' };
    link.start();
    await clock.run(20);
    expect(link.master).toBe('http://master-1');
    expect(connections).toBe(1);
  });

  it('tries the masters in turn while none leads', async () => {
    master(0).refusal = { status: 503 };
    master(1).refusal = { status: 503 };
    link.start();
    await clock.run(5000);
    expect(link.master).toBeUndefined();
    expect(master(1).calls.length).toBeGreaterThan(1);
    master(1).refusal = undefined;
    await clock.run(20_000);
    expect(link.master).toBe('http://master-1');
  });

  it('does not spin when masters redirect in circles', async () => {
    master(0).refusal = { status: 307, location: 'http://master-1/' };
    master(1).refusal = { status: 307, location: 'http://master-0/' };
    link.start();
    await clock.run(10_000);
    expect(link.master).toBeUndefined();
    expect(master(0).calls.length + master(1).calls.length).toBeLessThan(100);
  });

  it('subscribes again when the stream ends, and elsewhere when the master is gone', async () => {
    link.start();
    await clock.run(20);
    master(0).cut();
    await clock.run(10_000);
    expect(connections).toBe(2);
    const former = link.master ?? '';
    network.detach(former);
    await clock.run(20_000);
    expect(link.master).not.toBe(former);
    expect(connections).toBe(3);
  });

  it('gives up a stream that fell silent', async () => {
    link.start();
    await clock.run(20);
    network.cut('agent', 'http://master-0');
    await clock.run(60_000);
    expect(link.master).toBe('http://master-1');
  });

  it('beats at the interval that the master named, and with the id of its stream', async () => {
    link.start();
    const beat = (): void => master(0).send({ type: 'HEARTBEAT' });
    for (let index = 0; index < 10; index += 1) {
      await clock.run(15_000);
      beat();
    }
    const beats = master(0).calls.filter((call) => call.type === 'HEARTBEAT');
    expect(beats).toHaveLength(9);
    expect(connections).toBe(1);
  });

  it('keeps what must not get lost until a master is there', async () => {
    expect(await link.call(EXITED)).toBe(false);
    link.start();
    await clock.run(20);
    expect(master(0).calls).toContainEqual(EXITED);
  });

  it('ignores events of a kind that it does not know', async () => {
    link.start();
    await clock.run(20);
    master(0).send(JSON.parse('{"type":"FROM_THE_FUTURE"}'));
    master(0).send({ type: 'SHUTDOWN_FRAMEWORK', framework_id: 'f' });
    await clock.run(20);
    expect(events).toEqual([{ type: 'SHUTDOWN_FRAMEWORK', framework_id: 'f' }]);
    expect(connections).toBe(1);
  });

  it('keeps the messages of one executor in order', async () => {
    network.setFaults({ delayMs: [1, 300] });
    link.start();
    await clock.run(1000);
    const message = {
      type: 'MESSAGE',
      agent_id: 'a',
      framework_id: 'f',
      executor_id: 'e',
    } as const;
    const sent = Array.from({ length: 20 }, (_, index) => String(index));
    const all = Promise.all(sent.map((data) => link.call({ ...message, data })));
    await clock.run(20_000);
    expect(await all).toEqual(sent.map(() => true));
    const got = master(0).calls.flatMap((call) => (call.type === 'MESSAGE' ? [call.data] : []));
    expect(got).toEqual(sent);
  });
});

describe('the link to the master, with a detector', () => {
  let election: MemoryElection;
  const { signal } = new AbortController();

  beforeEach(async () => {
    election = new MemoryElection();
    link = newLink({ masters: [], detector: election });
    for (const index of [0, 1]) await network.attach(originOf(index), master(index).app);
  });

  const originOf = (index: number): string => `http://10.0.0.${index + 1}:5050`;
  const elect = (index: number) => {
    const address = { ip: `10.0.0.${index + 1}`, port: 5050 };
    return election.contend({ id: `m${index}`, ip: 0, port: 5050, address }, signal);
  };

  it('waits until somebody leads', async () => {
    link.start();
    await clock.run(60_000);
    expect(master(0).calls.length + master(1).calls.length).toBe(0);
    await elect(1);
    await clock.run(20);
    expect(link.master).toBe(originOf(1));
  });

  it('follows a new leader at once, though the old one still answers', async () => {
    const { id } = await elect(0);
    await elect(1);
    link.start();
    await clock.run(20);
    expect(link.master).toBe(originOf(0));
    election.remove(id, 'gone');
    await clock.run(20);
    expect(link.master).toBe(originOf(1));
  });

  it('takes its time to follow when it was told that there are many agents', async () => {
    master(0).resubscribeSpreadMs = 1000;
    const { id } = await elect(0);
    await elect(1);
    link.start();
    await clock.run(20);
    election.remove(id, 'gone');
    await clock.run(10);
    expect(link.master).toBeUndefined();
    await clock.run(1000);
    expect(link.master).toBe(originOf(1));
  });

  it('does not sit out a pause when a new leader is known', async () => {
    const { id } = await elect(0);
    network.detach(originOf(0));
    link.start();
    await clock.run(60_000);
    await elect(1);
    election.remove(id, 'gone');
    await clock.run(20);
    expect(link.master).toBe(originOf(1));
  });

  it('stays with its master while nobody is known to lead', async () => {
    const { id } = await elect(0);
    link.start();
    await clock.run(20);
    election.remove(id, 'gone');
    await clock.run(20_000);
    expect(link.master).toBe(originOf(0));
    expect(connections).toBe(1);
  });

  it('stops while it waits', async () => {
    link.start();
    await clock.run(10);
    await link.stop();
  });
});
