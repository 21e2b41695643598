import { describe, expect, it } from 'vitest';
import { formatResources, unallocateResources } from '../protocol/index.ts';
import type { Allocation } from './facts.ts';
import { agent, cycle, decline, framework, newAllocator } from './testing/cluster.ts';

/** Who was given what, in words. */
function told(allocations: readonly Allocation[]): readonly string[] {
  return allocations.map(
    ({ frameworkId, role, agentId, resources }) =>
      `${frameworkId}/${role} ${agentId} ${formatResources(unallocateResources(resources))}`,
  );
}

/** The frameworks in the order in which they were given something. */
function names(allocations: readonly Allocation[]): readonly string[] {
  return allocations.map(({ frameworkId }) => frameworkId);
}

describe('an agent with free resources', () => {
  it('is given as a whole to a framework that wants it', () => {
    const allocator = newAllocator();
    allocator.putFramework('f', framework());
    allocator.putAgent('a', agent('cpus:4;mem:1024;ports:[1-9]'));
    expect(told(cycle(allocator))).toEqual(['f/* a cpus:4; mem:1024; ports:[1-9]']);
    expect(allocator.usageOf('f', '*')).toEqual({ cpus: 4, mem: 1024 });
  });

  it('is given to nobody twice', () => {
    const allocator = newAllocator();
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putFramework('f', framework());
    expect(cycle(allocator)).toHaveLength(1);
    allocator.putFramework('g', framework());
    expect(cycle(allocator)).toEqual([]);
  });

  it('goes to the next framework as soon as one declines it', () => {
    const allocator = newAllocator();
    allocator.putFramework('f', framework());
    allocator.putFramework('g', framework());
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    const [first] = cycle(allocator);
    if (first !== undefined) decline(allocator, first, 5000);
    const [second] = cycle(allocator);
    expect([first?.frameworkId, second?.frameworkId]).toEqual(['f', 'g']);
    if (second !== undefined) decline(allocator, second, 9000);
    expect(cycle(allocator)).toEqual([]);
    allocator.tick(5000);
    expect(names(cycle(allocator))).toEqual(['f']);
  });

  it('goes to the next framework at the next interval where what is declined waits for it', () => {
    const allocator = newAllocator({ offersDeclinedAtOnce: false });
    allocator.putFramework('f', framework());
    allocator.putFramework('g', framework());
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    for (const allocation of cycle(allocator)) decline(allocator, allocation, 5000);
    expect(cycle(allocator)).toEqual([]);
    allocator.tick(1000);
    expect(names(cycle(allocator))).toEqual(['g']);
  });

  it('is offered again before a refusal ends when there is more of it, or on REVIVE', () => {
    const allocator = newAllocator();
    allocator.putFramework('f', framework());
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    for (const allocation of cycle(allocator)) decline(allocator, allocation, 5000);
    expect(cycle(allocator)).toEqual([]);
    allocator.updateAgent('a', agent('cpus:5;mem:1024').total);
    for (const allocation of cycle(allocator)) decline(allocator, allocation, 5000);
    expect(cycle(allocator)).toEqual([]);
    allocator.forgetRefusals('f', ['*']);
    expect(told(cycle(allocator))).toEqual(['f/* a cpus:5; mem:1024']);
  });

  it('is not offered while it is away or deactivated', () => {
    const allocator = newAllocator();
    allocator.putFramework('f', framework());
    allocator.setAgentActive('a', false);
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putAgent('b', agent('cpus:2;mem:1024'));
    allocator.setAgentConnected('b', false);
    expect(cycle(allocator)).toEqual([]);
    allocator.setAgentActive('a', true);
    expect(told(cycle(allocator))).toEqual(['f/* a cpus:4; mem:1024']);
    allocator.setAgentConnected('b', true);
    expect(told(cycle(allocator))).toEqual(['f/* b cpus:2; mem:1024']);
  });

  it('is not offered to frameworks that are away, suppressed, or gone', () => {
    const allocator = newAllocator();
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putFramework('f', framework({ isActive: false }));
    allocator.putFramework('g', framework({ roles: ['r'], suppressed: ['r'] }));
    allocator.putFramework('h', framework());
    allocator.removeFramework('h');
    expect(cycle(allocator)).toEqual([]);
    allocator.putFramework('g', framework({ roles: ['r'] }));
    expect(names(cycle(allocator))).toEqual(['g']);
  });

  it('is worth an offer with the smallest amounts only: of the framework, the role, or all', () => {
    const allocator = newAllocator({ minAllocatableByRole: new Map([['big', [{ cpus: 3 }]]]) });
    allocator.putFramework('any', framework({ min: [] }));
    allocator.putFramework('big', framework({ roles: ['big'] }));
    allocator.putFramework('usual', framework());
    allocator.putAgent('a', agent('disk:5'));
    allocator.putAgent('b', agent('cpus:2;mem:16'));
    allocator.putAgent('c', agent('cpus:3;mem:16'));
    allocator.putAgent('d', agent('disk:5'));
    expect(told(cycle(allocator)).toSorted()).toEqual([
      'any/* a disk:5',
      'any/* d disk:5',
      'big/big c cpus:3; mem:16',
      'usual/* b cpus:2; mem:16',
    ]);
  });

  it('with GPUs is for frameworks that know of them', () => {
    for (const filterGpuResources of [true, false]) {
      const allocator = newAllocator({ filterGpuResources });
      allocator.putAgent('a', agent('cpus:4;mem:1024;gpus:1'));
      allocator.putFramework('f', framework());
      expect(cycle(allocator)).toHaveLength(filterGpuResources ? 0 : 1);
      allocator.putFramework('g', framework({ can: ['isGpuAware'] }));
      expect(cycle(allocator)).toHaveLength(filterGpuResources ? 1 : 0);
    }
  });

  it('in another region is for frameworks that know of regions', () => {
    const allocator = newAllocator();
    allocator.putAgent('a', agent('cpus:4;mem:1024', { isRemote: true }));
    allocator.putFramework('f', framework());
    expect(cycle(allocator)).toEqual([]);
    allocator.putFramework('f', framework({ can: ['isRegionAware'] }));
    expect(cycle(allocator)).toHaveLength(1);
  });
});

describe('resources of a kind', () => {
  it('are reserved for a role and its descendants', () => {
    const allocator = newAllocator();
    allocator.putAgent('a', agent('cpus(eng):2;mem(eng):64;cpus:1;mem:64'));
    allocator.putFramework('other', framework({ roles: ['ops'] }));
    expect(told(cycle(allocator))).toEqual(['other/ops a cpus:1; mem:64']);
    allocator.putFramework('sub', framework({ roles: ['eng/dev'] }));
    expect(told(cycle(allocator))).toEqual([
      'sub/eng/dev a cpus(reservations: [(STATIC,eng)]):2; mem(reservations: [(STATIC,eng)]):64',
    ]);
  });

  it('that are revocable or refined are for frameworks that know of them', () => {
    const allocator = newAllocator();
    const [cpus] = agent('cpus:2').total;
    const [mem] = agent('mem:64').total;
    if (cpus === undefined || mem === undefined) throw new Error('no resources');
    const revocable = { ...cpus, revocable: {} };
    const reservations = ['eng', 'eng/dev'].map((role) => ({ type: 'DYNAMIC', role }) as const);
    allocator.putAgent('a', agent('', { total: [revocable, { ...mem, reservations }] }));
    const roles = ['eng/dev'];
    const plain = framework({ roles });
    const { capabilities } = plain;
    allocator.putFramework('f', {
      ...plain,
      capabilities: { ...capabilities, takesRefined: false },
    });
    expect(cycle(allocator)).toEqual([]);
    allocator.putFramework('g', framework({ roles, can: ['takesRefined'] }));
    expect(cycle(allocator).map(({ resources }) => resources.map(({ name }) => name))).toEqual([
      ['mem'],
    ]);
    allocator.putFramework('h', framework({ roles, can: ['takesRevocable'] }));
    expect(cycle(allocator).map(({ resources }) => resources.map(({ name }) => name))).toEqual([
      ['cpus'],
    ]);
  });

  it('that are shared are offered beside others to who knows of them, used or not', () => {
    const allocator = newAllocator();
    const [disk] = agent('disk(eng):10').total;
    if (disk === undefined) throw new Error('no disk');
    const volume = { ...disk, shared: {}, disk: { persistence: { id: 'v' } } };
    allocator.putAgent('a', agent('', { total: [...agent('cpus:4;mem:64').total, volume] }));
    allocator.putFramework('f', framework({ roles: ['eng'], can: ['takesShared'] }));
    const [whole] = cycle(allocator);
    expect(whole?.resources.map(({ name }) => name)).toEqual(['cpus', 'mem', 'disk']);
    const cpus = whole?.resources.filter(({ name }) => name === 'cpus') ?? [];
    allocator.noteRecovered('a', 'f', cpus);
    const [rest] = cycle(allocator);
    expect(rest?.resources.map(({ name }) => name)).toEqual(['cpus', 'disk']);
    expect(allocator.usageOf('f', 'eng')).toEqual({ cpus: 4, mem: 64, disk: 10 });
  });
});

describe('frameworks in groups', () => {
  it('do not share an agent with other groups where groups are isolated', () => {
    const allocator = newAllocator({ isolateGroups: true });
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putFramework('f', framework({ group: 'red' }));
    const [given] = cycle(allocator);
    allocator.noteRecovered(
      'a',
      'f',
      (given?.resources ?? []).filter(({ name }) => name === 'mem'),
    );
    allocator.putFramework('f', framework({ group: 'red', suppressed: ['*'] }));
    allocator.putFramework('g', framework({ group: 'blue' }));
    expect(cycle(allocator)).toEqual([]);
    allocator.putFramework('h', framework({ group: 'red' }));
    expect(names(cycle(allocator))).toEqual(['h']);
  });
});

describe('planned maintenance', () => {
  const unavailability = { start: { nanoseconds: 1e9 } };

  it('asks the frameworks that have something of the agent, each once until it answers', () => {
    const allocator = newAllocator();
    allocator.putFramework('f', framework());
    allocator.putFramework('idle', framework());
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    cycle(allocator);
    allocator.setUnavailability('a', unavailability);
    expect(allocator.dueInverseOffers(0)).toEqual([
      { agentId: 'a', frameworkId: 'f', unavailability },
    ]);
    expect(allocator.dueInverseOffers(0)).toEqual([]);
    allocator.answerInverseOffer('a', 'f', { status: 'DECLINE', atMs: 7 }, 5000);
    expect(allocator.inverseOfferStatuses('a').get('f')?.status).toBe('DECLINE');
    expect(allocator.dueInverseOffers(4999)).toEqual([]);
    allocator.forgetRefusals('f', ['*']);
    expect(allocator.dueInverseOffers(4999)).toHaveLength(1);
    allocator.answerInverseOffer('a', 'f', undefined, 5000);
    expect(allocator.dueInverseOffers(4999)).toEqual([]);
    expect(allocator.dueInverseOffers(5000)).toHaveLength(1);
    allocator.setUnavailability('a', undefined);
    expect(allocator.dueInverseOffers(9999)).toEqual([]);
  });
});

describe('offer constraints', () => {
  it('keep agents from a framework under one role only, and only as long as they are so', () => {
    const allocator = newAllocator();
    const isExcluded = ({ hostname }: { readonly hostname: string }): boolean =>
      hostname === 'host';
    const exclusions = new Map([['r', isExcluded]]);
    allocator.putAgent('a', agent('cpus:1'));
    allocator.putFramework('f', framework({ roles: ['r'], exclusions }));
    expect(cycle(allocator)).toEqual([]);
    allocator.putFramework('g', framework({ roles: ['s'], exclusions }));
    const given = cycle(allocator);
    expect(names(given)).toEqual(['g']);
    for (const allocation of given) decline(allocator, allocation, 5000);
    expect(cycle(allocator)).toEqual([]);
    const identity = { hostname: 'other', attributes: [], domain: undefined };
    allocator.putAgent('a', agent('cpus:1', { identity }));
    expect(names(cycle(allocator))).toEqual(['f']);
  });
});
