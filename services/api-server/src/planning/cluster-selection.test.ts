import type { ClusterId, PlacementWishes } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, selectForCores, selectForMachines } from './cluster-selection.ts';

const shape = { vcpus: 2, memoryMiB: 464 };

interface HostSize {
  readonly vcpus: number;
  readonly memoryMiB: number;
}

function candidate(name: string, hosts: readonly HostSize[], more: Partial<Candidate> = {}) {
  const made: Candidate = {
    id: `clu_${name}` as ClusterId,
    name,
    isConnected: true,
    capacity: {
      observedAtMs: 0,
      hosts: hosts.map((host, index) => ({
        agentId: `${name}-${index}`,
        hostName: `${name}-${index}`,
        active: true,
        totalVcpus: host.vcpus,
        totalMemoryMiB: host.memoryMiB,
        freeVcpus: host.vcpus,
        freeMemoryMiB: host.memoryMiB,
      })),
      promisedVcpus: 0,
      promisedMemoryMiB: 0,
      images: ['micro'],
    },
    unseenVcpus: 0,
    unseenMemoryMiB: 0,
    ...more,
  };
  return made;
}

const roomFor = (machines: number): HostSize => ({
  vcpus: machines * shape.vcpus,
  memoryMiB: machines * (shape.memoryMiB + 48),
});

describe('machines with hardware that only few hosts have', () => {
  const withGpus = (name: string, free: number) => {
    const made = candidate(name, [roomFor(100)]);
    const hosts = (made.capacity?.hosts ?? []).map((host) => ({
      ...host,
      resources: { gpus: { total: 4, free } },
    }));
    return { ...made, capacity: made.capacity && { ...made.capacity, hosts } };
  };
  const wishes = { hardware: { gpus: 2 } };
  const candidates = [withGpus('a', 4), withGpus('b', 3)];

  it('are as many as there is of that hardware', () => {
    const demand = { image: 'micro', imageVersion: null, wishes, shape, count: 4, outOf: 4 };
    const { shares, unplaced, reason } = selectForMachines(demand, candidates);
    expect([shares.map(({ amount }) => amount), unplaced]).toEqual([[2, 1], 1]);
    expect(reason).toContain('a has room for 2');
    const none = selectForMachines(demand, [withGpus('c', 1)]);
    expect(none.reason).toContain(
      'c has room for 0 (1 host, 1 host has too few graphics cards free)',
    );
  });

  it('are so many cores', () => {
    const demand = { image: 'micro', imageVersion: null, wishes, shapes: [shape], outOf: 8 };
    const { shares, unplaced } = selectForCores({ ...demand, totalVcpus: 8 }, candidates);
    expect([shares.map(({ amount }) => amount), unplaced]).toEqual([[4, 2], 2]);
  });
});

describe('machines that wish something of their hosts', () => {
  const withRack = (name: string, racks: readonly string[], room = roomFor(2)) => {
    const made = candidate(
      name,
      racks.map(() => room),
    );
    const hosts = (made.capacity?.hosts ?? []).map((host, index) => ({
      ...host,
      attributes: [{ name: 'rack', type: 'text' as const, text: racks[index] ?? '' }],
    }));
    return { ...made, capacity: made.capacity && { ...made.capacity, hosts } };
  };
  const demand = (wishes: PlacementWishes, count: number) => ({
    ...{ image: 'micro', imageVersion: null, wishes, shape, count, outOf: count },
  });
  const amounts = (wishes: PlacementWishes, count: number, candidates: readonly Candidate[]) =>
    selectForMachines(demand(wishes, count), candidates).shares.map(({ clusterId, amount }) => [
      clusterId,
      amount,
    ]);

  it('go where hosts are as required, and the reason counts those that are not', () => {
    const requirements = [{ name: 'rack', op: 'eq' as const, value: 'r1' }];
    const candidates = [withRack('a', ['r2', 'r2', 'r2']), withRack('b', ['r1', 'r2'])];
    expect(amounts({ requirements }, 2, candidates)).toEqual([['clu_b', 2]]);
    const { reason } = selectForMachines(demand({ requirements }, 3), candidates);
    expect(reason).toContain(
      'a has room for 0 (0 hosts, 3 hosts are not as required (rack is r1))',
    );
    expect(reason).toContain('b has room for 2 (1 host, 1 host is not as required (rack is r1))');
  });

  it('are one a host when they must be apart', () => {
    const group = { id: 'db', rule: 'anti-affinity' as const };
    const candidates = [withRack('a', ['r1', 'r1']), withRack('b', ['r1', 'r1', 'r1'])];
    expect(amounts({ group }, 5, candidates)).toEqual([
      ['clu_b', 3],
      ['clu_a', 2],
    ]);
  });

  it('are all given to one cluster, with a host for all, when they must be together', () => {
    const group = { id: 'app', rule: 'affinity' as const };
    const candidates = [withRack('a', ['r1'], roomFor(4)), withRack('b', ['r1', 'r1', 'r1'])];
    expect(amounts({ group }, 4, candidates)).toEqual([['clu_a', 4]]);
    expect(amounts({ group }, 5, candidates)).toEqual([]);
  });
});

describe('choosing clusters for machines', () => {
  const demand = (count: number) => ({
    image: 'micro',
    imageVersion: null,
    wishes: {},
    shape,
    count,
    outOf: count,
  });

  it('takes the roomiest when it holds all', () => {
    const candidates = [candidate('a', [roomFor(4)]), candidate('b', [roomFor(9)])];
    expect(selectForMachines(demand(4), candidates)).toEqual({
      shares: [{ clusterId: 'clu_b', amount: 4 }],
      unplaced: 0,
      reason: null,
    });
  });

  it('splits, roomiest first, when none holds all', () => {
    const candidates = [candidate('a', [roomFor(4)]), candidate('b', [roomFor(3), roomFor(3)])];
    expect(selectForMachines(demand(9), candidates).shares).toEqual([
      { clusterId: 'clu_b', amount: 6 },
      { clusterId: 'clu_a', amount: 3 },
    ]);
  });

  it('does not give what is promised, in the report or since', () => {
    const promised = { unseenVcpus: 4, unseenMemoryMiB: 1024 };
    const candidates = [candidate('a', [roomFor(4)], promised)];
    expect(selectForMachines(demand(4), candidates)).toMatchObject({ unplaced: 2 });
  });

  it('says why, with counts', () => {
    const full = candidate('full', [
      { vcpus: 1, memoryMiB: 9999 },
      { vcpus: 8, memoryMiB: 100 },
      { vcpus: 8, memoryMiB: 200 },
    ]);
    const away = candidate('away', [roomFor(9)], { isConnected: false });
    const fresh = candidate('fresh', [], { capacity: null });
    const other = candidate('other', [roomFor(9)]);
    const bare = { ...other, capacity: other.capacity && { ...other.capacity, images: [] } };
    const { reason } = selectForMachines(demand(3), [full, away, fresh, bare]);
    expect(reason).toBe(
      '3 of 3 machines with 2 vCPU and 464 MiB fit nowhere at present: away is not connected; ' +
        'fresh has not reported its capacity yet; full has room for 0 (3 hosts: 1 lacks cores, ' +
        '2 lack memory); other lacks the image micro.',
    );
    expect(selectForMachines(demand(1), []).reason).toContain('no cluster is enrolled');
  });

  const anyHost = fc.record({ vcpus: fc.nat(40), memoryMiB: fc.nat(40_000) });
  const anyCandidates = fc
    .array(
      fc.record({
        hosts: fc.array(anyHost, { maxLength: 6 }),
        isConnected: fc.boolean(),
        unseenVcpus: fc.nat(20),
        unseenMemoryMiB: fc.nat(10_000),
      }),
      { maxLength: 5 },
    )
    .map((list) => list.map(({ hosts, ...more }, i) => candidate(`c${i}`, hosts, more)));

  it('never gives more than there is, nor more than was asked, and loses nothing', () => {
    fc.assert(
      fc.property(anyCandidates, fc.integer({ min: 1, max: 200 }), (candidates, count) => {
        const { shares, unplaced, reason } = selectForMachines(demand(count), candidates);
        const given = shares.reduce((sum, share) => sum + share.amount, 0);
        expect(given + unplaced).toBe(count);
        expect(reason === null).toBe(unplaced === 0);
        for (const { clusterId, amount } of shares) {
          const chosen = candidates.find(({ id }) => id === clusterId);
          const hosts = chosen?.capacity?.hosts ?? [];
          const vcpus = hosts.reduce((sum, host) => sum + host.freeVcpus, 0);
          expect(chosen?.isConnected).toBe(true);
          const net = Math.max(0, vcpus - (chosen?.unseenVcpus ?? 0));
          expect(amount * shape.vcpus).toBeLessThanOrEqual(net);
        }
      }),
    );
  });

  const shapes = [
    { vcpus: 5, memoryMiB: 500 },
    { vcpus: 3, memoryMiB: 300 },
  ];

  it('splits cores into shares that the shapes can make, leaving one that they can', () => {
    fc.assert(
      fc.property(anyCandidates, fc.integer({ min: 8, max: 300 }), (candidates, totalVcpus) => {
        const demandOfCores = {
          image: 'micro',
          imageVersion: null,
          wishes: {},
          shapes,
          totalVcpus,
          outOf: totalVcpus,
        };
        const { shares, unplaced } = selectForCores(demandOfCores, candidates);
        const canMake = (cores: number): boolean =>
          Array.from({ length: 101 }, (_, fives) => cores - fives * 5).some(
            (rest) => rest >= 0 && rest % 3 === 0,
          );
        const given = shares.reduce((sum, share) => sum + share.amount, 0);
        expect(given + unplaced).toBe(totalVcpus);
        expect([...shares.map((share) => share.amount), unplaced].every(canMake)).toBe(true);
      }),
    );
  });
});
