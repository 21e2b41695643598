import type { AttributeRule } from '@factory/contracts';
import { systemClock } from '@factory/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXECUTOR_NEED } from './offers.ts';
import { ALONE, place } from './placement.ts';
import type { AgentOffer, PlacementRequest } from './placement-eligibility.ts';

const SIZE = { cpus: 8, memoryMiB: 8_192, diskMiB: 100_000 };
const NEED = { cpus: 1, memoryMiB: 512, diskMiB: 1_024 };

function offer(agentId: string, more: Partial<AgentOffer> = {}): AgentOffer {
  return { agentId, hostName: agentId, free: SIZE, hasExecutor: true, ...more };
}

function request(vmId: string, more: Partial<PlacementRequest> = {}): PlacementRequest {
  return { vmId, need: NEED, boundAgentId: null, ...more };
}

const many = (count: number, more: Partial<PlacementRequest> = {}) =>
  Array.from({ length: count }, (_, index) => request(`vm-${index}`, more));

const ANTI = { key: 'p/anti-affinity/db', rule: 'anti-affinity' } as const;
const TOGETHER = { key: 'p/affinity/app', rule: 'affinity' } as const;
const rack = (value: string) => [{ name: 'rack', type: 'text' as const, text: value }];
const agents = ['a', 'b', 'c', 'd'].map((agentId) => offer(agentId));

/** How many VMs each agent got. */
function counts(agentOf: ReadonlyMap<string, string>): Readonly<Record<string, number>> {
  const tally: Record<string, number> = {};
  for (const agentId of agentOf.values()) tally[agentId] = (tally[agentId] ?? 0) + 1;
  return tally;
}

describe('what a VM requires of its host', () => {
  const inRack = (value: string): AttributeRule[] => [{ name: 'rack', op: 'eq', value }];
  const offers = [offer('a', { attributes: rack('r1') }), offer('b', { attributes: rack('r2') })];

  it('decides before room does', () => {
    const { agentOf } = place(many(4, { requirements: inRack('r2') }), offers, EXECUTOR_NEED);
    expect(counts(agentOf)).toEqual({ b: 4 });
  });

  it('is named in the reason, with counts', () => {
    const { waiting } = place(
      [request('v', { requirements: inRack('r3') })],
      offers,
      EXECUTOR_NEED,
    );
    expect(waiting.get('v')).toBe('2 agents make offers: 2 not as required (rack is r3).');
  });

  it('that is no usable pattern fits no host', () => {
    const requirements: AttributeRule[] = [{ name: 'rack', op: 'regex', pattern: '(' }];
    expect(place([request('v', { requirements })], offers, EXECUTOR_NEED).agentOf.size).toBe(0);
  });

  it('does not keep it from the host that has its disk', () => {
    const bound = request('v', { requirements: inRack('r3'), boundAgentId: 'a' });
    expect(place([bound], offers, EXECUTOR_NEED).agentOf.get('v')).toBe('a');
  });

  it('may be scalars of any name', () => {
    const free = { ...SIZE, others: { gpus: 2, licences: 1 } };
    const need = { ...NEED, others: { gpus: 1, licences: 1 } };
    const offered = [offer('a'), offer('b', { free })];
    const { agentOf, waiting } = place(many(3, { need }), offered, EXECUTOR_NEED);
    expect(counts(agentOf)).toEqual({ b: 1 });
    expect(waiting.get('vm-1')).toBe(
      '2 agents make offers: 1 lack graphics cards, 2 lack licences.',
    );
  });

  it('leaves hosts with graphics cards to those who need them', () => {
    const offered = [offer('a', { free: { ...SIZE, others: { gpus: 2 } } }), offer('b')];
    const { agentOf } = place(many(8), offered, EXECUTOR_NEED);
    expect(counts(agentOf)).toEqual({ b: 8 });
    expect(place(many(9), offered, EXECUTOR_NEED).agentOf.size).toBe(9);
  });
});

describe('the hardware that a VM asks for', () => {
  const gpuModel = (text: string) => [{ name: 'gpu_model', type: 'text' as const, text }];

  it('is had by hosts whose attributes say so, and the others are named in the reason', () => {
    const hardware = { gpus: 1, gpuModel: 'A100' };
    const free = { ...SIZE, others: { gpus: 1 } };
    const need = { ...NEED, others: { gpus: 1 } };
    const offers = [
      offer('a', { free, attributes: gpuModel('T4') }),
      offer('b', { free, attributes: gpuModel('A100') }),
      offer('c', { free }),
    ];
    const { agentOf, waiting } = place(many(2, { need, hardware }), offers, EXECUTOR_NEED);
    expect(counts(agentOf)).toEqual({ b: 1 });
    expect(waiting.get('vm-1')).toBe(
      '3 agents make offers: 2 not as required (gpu_model is A100), 1 lack graphics cards.',
    );
  });

  it('may be a CPU model that hosts that tell their models must have', () => {
    const hardware = { cpu: { model: 'EPYC-Rome' } };
    const models = (items: string[]) => [{ name: 'cpu_models', type: 'set' as const, items }];
    const offers = [
      offer('a', { attributes: models(['Nehalem']) }),
      offer('b', { attributes: models(['Nehalem', 'EPYC-Rome']) }),
    ];
    expect(counts(place(many(2, { hardware }), offers, EXECUTOR_NEED).agentOf)).toEqual({ b: 2 });
    const untold = place(many(1, { hardware }), [offer('c')], EXECUTOR_NEED);
    expect(untold.agentOf.size).toBe(1);
    const hosts = place(many(1, { hardware: { cpu: { model: 'host' } } }), offers, EXECUTOR_NEED);
    expect(hosts.agentOf.size).toBe(1);
  });

  it('leaves the huge pages of a host, which are part of its memory, to those who ask for them', () => {
    const others = { hugepages_1g: 6 };
    const offers = [offer('a', { free: { ...SIZE, others } })];
    const ordinary = { ...NEED, memoryMiB: 3_000 };
    expect(place(many(1, { need: ordinary }), offers, EXECUTOR_NEED).waiting.get('vm-0')).toBe(
      '1 agent makes offers: 1 lack memory.',
    );
    const inPages = { ...NEED, memoryMiB: 3 * 1_024 + 48, others: { hugepages_1g: 3 } };
    const { agentOf, waiting } = place(many(3, { need: inPages }), offers, EXECUTOR_NEED);
    expect(agentOf.size).toBe(2);
    expect(waiting.get('vm-2')).toContain('1 lack 1 GiB huge pages');
  });
});

describe('packing and spreading', () => {
  it('fills one host before the next, or all equally', () => {
    expect(counts(place(many(12, { policy: 'pack' }), agents, EXECUTOR_NEED).agentOf)).toEqual({
      a: 8,
      b: 4,
    });
    expect(counts(place(many(12), agents, EXECUTOR_NEED).agentOf)).toEqual({
      a: 3,
      b: 3,
      c: 3,
      d: 3,
    });
  });

  it('counts what a host has already', () => {
    const used = { cpus: 6, memoryMiB: 3_072, diskMiB: 6_144 };
    const free = { cpus: 2, memoryMiB: 5_120, diskMiB: 90_000 };
    const offers = [offer('a'), offer('b', { free, used })];
    expect(place([request('v')], offers, EXECUTOR_NEED).agentOf.get('v')).toBe('a');
    const packed = place([request('v', { policy: 'pack' })], offers, EXECUTOR_NEED);
    expect(packed.agentOf.get('v')).toBe('b');
  });

  it('prefers hosts that have the image, as long as they are not much fuller', () => {
    const offers = [offer('a'), offer('b', { images: new Set(['micro']) }), offer('c')];
    const { agentOf } = place(many(12, { image: 'micro' }), offers, EXECUTOR_NEED);
    const { a = 0, b = 0, c = 0 } = counts(agentOf);
    expect(agentOf.get('vm-0')).toBe('b');
    expect(b).toBeGreaterThan(a);
    expect(a + c).toBeGreaterThan(0);
  });
});

describe('groups', () => {
  const groupOf = fc.constantFrom(undefined, ANTI, TOGETHER);
  const room = fc.integer({ min: 1, max: 8 });

  it('that must be apart never share a host; those that must be together are placed as one', () => {
    fc.assert(
      fc.property(
        fc.array(groupOf, { maxLength: 14 }),
        fc.array(room, { maxLength: 5 }),
        fc.option(fc.nat({ max: 4 })),
        (groups, rooms, where) => {
          const wanted = groups.map((group, index) => request(`vm-${index}`, { group }));
          const offers = rooms.map((cpus, index) =>
            offer(`agent-${index}`, { free: { ...SIZE, cpus } }),
          );
          const members = new Map(where === null ? [] : [[`agent-${where}`, 1]]);
          const membersOf = () => members;
          const { agentOf, waiting } = place(wanted, offers, EXECUTOR_NEED, {
            ...ALONE,
            membersOf,
          });
          const placed = wanted.filter(({ vmId }) => agentOf.has(vmId));
          const agentsOf = (key: string) =>
            placed.flatMap(({ group, vmId }) =>
              group?.key === key ? [agentOf.get(vmId) ?? ''] : [],
            );
          const apart = [...agentsOf(ANTI.key), ...members.keys()];
          expect(new Set(apart).size).toBe(apart.length);
          const together = new Set([...agentsOf(TOGETHER.key), ...members.keys()]);
          if (agentsOf(TOGETHER.key).length > 0) expect(together.size).toBe(1);
          const size = wanted.filter(({ group }) => group === TOGETHER).length;
          if (where === null) expect([0, size]).toContain(agentsOf(TOGETHER.key).length);
          expect(placed.length + waiting.size).toBe(wanted.length);
        },
      ),
    );
  });

  it('say what they lack', () => {
    const why = (more: Partial<PlacementRequest>, count: number) =>
      [...place(many(count, more), agents, EXECUTOR_NEED).waiting.values()][0];
    expect(why({ group: ANTI }, 5)).toBe('4 agents make offers: 4 with a machine of its group.');
    expect(why({ group: TOGETHER }, 9)).toBe(
      'Its group of 9 must be on one host. 4 agents make offers: 4 lack cpus.',
    );
  });
});

describe('agents that are closed', () => {
  const offers = [
    offer('a', { closedBy: 'quarantine' }),
    offer('b', { closedBy: 'drain' }),
    offer('c', { launchesMax: 1 }),
  ];

  it('get no new VMs, and one at a time on probation; who has a disk there goes back', () => {
    const wanted = [...many(3), request('old', { boundAgentId: 'a' })];
    const { agentOf, waiting } = place(wanted, offers, EXECUTOR_NEED);
    expect(Object.fromEntries(agentOf)).toEqual({ old: 'a', 'vm-0': 'c' });
    expect(waiting.get('vm-1')).toBe(
      '3 agents make offers: 1 in quarantine after failed launches, 1 draining, ' +
        '1 on probation after failed launches.',
    );
  });

  it('and those that offer nothing are counted too', () => {
    const recent = [offer('e', { free: { ...SIZE, cpus: 0 } })];
    const around = { ...ALONE, recent, silentAgents: 2 };
    const { waiting } = place(many(1), [], EXECUTOR_NEED, around);
    expect(waiting.get('vm-0')).toBe(
      '1 agent makes offers: 1 lack cpus. 2 more agents make no offer.',
    );
  });
});

describe('room that is held', () => {
  const NONE = { cpus: 0, memoryMiB: 0, diskMiB: 0 };
  const wide = { ...NEED, cpus: 8 };
  const few = { ...SIZE, cpus: 4 };

  it('is for its holder, and for others only if that does not delay it', () => {
    const hold = { holder: 'wide', need: wide, leaving: NONE };
    const held = place(many(2), [offer('a', { free: few, hold })], EXECUTOR_NEED);
    expect(held.agentOf.size).toBe(0);
    expect(held.waiting.get('vm-0')).toBe(
      '1 agent makes offers: 1 held for a machine that waits longer.',
    );
    const leaving = { ...NONE, cpus: 5 };
    const backfilled = [offer('a', { free: few, hold: { ...hold, leaving } })];
    expect(place(many(3), backfilled, EXECUTOR_NEED).agentOf.size).toBe(1);
  });

  it('goes to its holder before bigger ones', () => {
    const offers = [offer('a', { hold: { holder: 'wide', need: wide, leaving: NONE } })];
    const bigger = request('bigger', { need: { ...wide, memoryMiB: 8_000 } });
    const { agentOf } = place([bigger, request('wide', { need: wide })], offers, EXECUTOR_NEED);
    expect(agentOf.get('wide')).toBe('a');
  });

  it('never keeps a bound VM away', () => {
    const offers = [offer('a', { hold: { holder: 'wide', need: wide, leaving: NONE } })];
    const bound = request('bound', { boundAgentId: 'a' });
    expect(place([bound], offers, EXECUTOR_NEED).agentOf.get('bound')).toBe('a');
  });
});

describe('a large round', () => {
  it('places 5,000 VMs on 200 agents in a moment, and explains 5,000 that do not fit', () => {
    const attributes = rack('r1');
    const offers = Array.from({ length: 200 }, (_, index) =>
      offer(`agent-${index}`, {
        free: { cpus: 26, memoryMiB: 20_000, diskMiB: 90_000 },
        attributes,
      }),
    );
    const requirements: AttributeRule[] = [{ name: 'rack', op: 'regex', pattern: 'r[0-9]+' }];
    const wanted = many(10_000, { requirements });
    const timeOf = (requests: readonly PlacementRequest[]): number => {
      const startedAtMs = systemClock.monotonicMs();
      place(requests, offers, EXECUTOR_NEED);
      return systemClock.monotonicMs() - startedAtMs;
    };
    const { agentOf, waiting } = place(wanted, offers, EXECUTOR_NEED);
    expect([agentOf.size, waiting.size]).toEqual([5_200, 4_800]);
    const times = Array.from({ length: 5 }, () => timeOf(wanted.slice(0, 5_000)));
    process.stdout.write(
      `place() of 5,000 VMs on 200 agents: ${Math.min(...times).toFixed(1)} ms\n`,
    );
    const waitingTime = timeOf(many(5_000, { need: { ...NEED, cpus: 99 } }));
    process.stdout.write(`place() of 5,000 VMs that fit nowhere: ${waitingTime.toFixed(1)} ms\n`);
  });
});
