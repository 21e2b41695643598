import type { VmHardware } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseHardware, type FreeHardware } from './choose.ts';
import type { HardwareWish, HostNode } from './port.ts';

/** A node whose cores have two threads each: 0 and 1, 2 and 3, … */
function node(id: number, cpus: readonly number[], pages = { '2M': 0, '1G': 0 }): HostNode {
  return {
    node: id,
    cpus: cpus.map((cpu) => ({ cpu, core: `${cpu >> 1}` })),
    hugepages: {
      '2M': { total: pages['2M'], free: pages['2M'] },
      '1G': { total: pages['1G'], free: pages['1G'] },
    },
  };
}

const card = (address: string, at?: number) => ({ address, node: at });
const wish = (vcpus: number, hardware: VmHardware, memoryMiB = 4_096): HardwareWish => ({
  vcpus,
  memoryMiB,
  hardware,
});
const pinned = { cpu: { pinned: true } };

describe('what of a host a machine is given', () => {
  it('is cores and memory of one node, that which it fills best', () => {
    const free = { nodes: [node(0, [0, 1, 2, 3, 4, 5]), node(1, [6, 7, 8, 9])], gpus: [] };
    expect(chooseHardware(wish(4, pinned), free)).toEqual({
      ...{ gpus: [], cpus: [6, 7, 8, 9], nodes: [1] },
    });
    expect(chooseHardware(wish(6, pinned), free)).toMatchObject({ nodes: [0] });
  });

  it('is of several nodes only when none has enough', () => {
    const free = { nodes: [node(0, [0, 1, 2]), node(1, [6, 7])], gpus: [] };
    expect(chooseHardware(wish(4, pinned), free)).toEqual({
      ...{ gpus: [], cpus: [0, 1, 2, 6], nodes: [] },
    });
  });

  it('is whole cores before halves', () => {
    const free = { nodes: [node(0, [1, 2, 3, 5])], gpus: [] };
    expect(chooseHardware(wish(2, pinned), free)).toMatchObject({ cpus: [2, 3] });
  });

  it('is near its graphics cards', () => {
    const free: FreeHardware = {
      nodes: [node(0, [0, 1]), node(1, [2, 3, 4, 5])],
      gpus: [card('a', 0), card('b', 1), card('c', 1)],
    };
    expect(chooseHardware(wish(2, { gpus: 2, ...pinned }), free)).toEqual({
      ...{ gpus: ['b', 'c'], cpus: [2, 3], nodes: [1] },
    });
    expect(chooseHardware(wish(2, { gpus: 3 }), free)).toEqual({
      ...{ gpus: ['a', 'b', 'c'], cpus: [], nodes: [] },
    });
  });

  it('is a node of the host for each of its own', () => {
    const free = { nodes: [node(0, [0, 1, 2]), node(1, [6, 7, 8])], gpus: [] };
    const two = { cpu: { pinned: true, numaNodes: 2 } };
    expect(chooseHardware(wish(4, two), free)).toEqual({
      ...{ gpus: [], cpus: [0, 1, 6, 7], nodes: [0, 1] },
    });
    // Three of each do not fit: then from anywhere.
    const narrow = { nodes: [node(0, [0]), node(1, [6, 7, 8])], gpus: [] };
    expect(chooseHardware(wish(4, two), narrow)).toMatchObject({ cpus: [6, 7, 8, 0], nodes: [] });
  });

  it('has its huge pages on that node', () => {
    const nodes = [node(0, [0, 1], { '2M': 0, '1G': 2 }), node(1, [6, 7, 8], { '2M': 0, '1G': 8 })];
    const hardware = { cpu: { pinned: true, hugepages: '1G' } } as const;
    expect(chooseHardware(wish(2, hardware), { nodes, gpus: [] })).toMatchObject({ nodes: [1] });
    expect(chooseHardware(wish(2, hardware, 10_240), { nodes, gpus: [] })).toMatchObject({
      nodes: [],
    });
    expect(chooseHardware(wish(2, hardware, 11_264), { nodes, gpus: [] })).toEqual({
      ...{ lack: 'HUGEPAGES_UNAVAILABLE', wanted: 11, free: 10 },
    });
  });

  it('is said to be too little by what there is least of', () => {
    const free = { nodes: [node(0, [0])], gpus: [card('a')] };
    expect(chooseHardware(wish(1, { gpus: 2 }), free)).toEqual({
      ...{ lack: 'GPU_UNAVAILABLE', wanted: 2, free: 1 },
    });
    expect(chooseHardware(wish(2, pinned), free)).toMatchObject({ lack: 'CPUS_UNAVAILABLE' });
  });

  it('is as much as it asks for, all of it free, and nothing twice', () => {
    const cpus = fc.uniqueArray(fc.integer({ min: 0, max: 31 }), { maxLength: 16 });
    const pages = fc.record({ '2M': fc.nat({ max: 4_000 }), '1G': fc.nat({ max: 8 }) });
    const hosts = fc.tuple(cpus, pages, pages).map(([some, low, high]) => [
      node(
        0,
        some.filter((cpu) => cpu < 16),
        low,
      ),
      node(
        1,
        some.filter((cpu) => cpu >= 16),
        high,
      ),
    ]);
    const gpus = fc
      .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'))
      .map((some) => some.map((address) => card(address, address < 'c' ? 0 : 1)));
    const hardware = fc.record({
      gpus: fc.nat({ max: 3 }),
      cpu: fc.record(
        {
          pinned: fc.boolean(),
          numaNodes: fc.constantFrom(1, 2),
          hugepages: fc.constantFrom('2M', '1G'),
        },
        { requiredKeys: ['pinned', 'numaNodes'] },
      ),
    });
    const vcpus = fc.constantFrom(2, 4, 8);
    fc.assert(
      fc.property(hosts, gpus, hardware, vcpus, (nodes, cards, asked, count) => {
        const choice = chooseHardware(wish(count, asked), { nodes, gpus: cards });
        if ('lack' in choice) {
          expect(choice.wanted).toBeGreaterThan(choice.free);
          return;
        }
        expect(choice.gpus).toHaveLength(asked.gpus);
        expect(choice.cpus).toHaveLength(asked.cpu.pinned ? count : 0);
        expect(new Set([...choice.gpus]).size).toBe(choice.gpus.length);
        expect(new Set([...choice.cpus]).size).toBe(choice.cpus.length);
        const free = new Set(nodes.flatMap((each) => each.cpus.map(({ cpu }) => cpu)));
        expect(choice.cpus.every((cpu) => free.has(cpu))).toBe(true);
        expect([0, asked.cpu.numaNodes]).toContain(choice.nodes.length);
        if (choice.nodes.length === 0) return;
        const share = choice.cpus.length / choice.nodes.length;
        for (const [cell, home] of choice.nodes.entries()) {
          const own = choice.cpus.slice(cell * share, (cell + 1) * share);
          expect(own.every((cpu) => (cpu < 16 ? 0 : 1) === home)).toBe(true);
        }
      }),
    );
  });
});
