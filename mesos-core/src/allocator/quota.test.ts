import { describe, expect, it } from 'vitest';
import type { Quantities } from '../protocol/index.ts';
import type { Allocator } from './allocator.ts';
import type { Allocation } from './facts.ts';
import { agent, cycle, decline, framework, newAllocator } from './testing/cluster.ts';

function limited(allocator: Allocator, role: string, limits: Quantities): void {
  allocator.setQuota(role, { guarantees: {}, limits });
}

function guaranteed(allocator: Allocator, role: string, guarantees: Quantities): void {
  allocator.setQuota(role, { guarantees, limits: {} });
}

/** CPUs by framework. */
function cpus(allocations: readonly Allocation[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { frameworkId, resources } of allocations) {
    const own = resources.filter(({ name }) => name === 'cpus');
    for (const { scalar } of own)
      sums[frameworkId] = (sums[frameworkId] ?? 0) + (scalar?.value ?? 0);
  }
  return sums;
}

describe('a limit', () => {
  it('cuts the last offer to what is left of it', () => {
    const allocator = newAllocator();
    limited(allocator, 'r', { cpus: 5 });
    allocator.putFramework('f', framework({ roles: ['r'] }));
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putAgent('b', agent('cpus:4;mem:1024'));
    expect(cpus(cycle(allocator))).toEqual({ f: 5 });
    allocator.putFramework('g', framework());
    expect(cpus(cycle(allocator))).toEqual({ g: 3 });
  });

  it('of a role binds its descendants together', () => {
    const allocator = newAllocator();
    limited(allocator, 'r', { cpus: 3, mem: 1024 });
    allocator.putFramework('f', framework({ roles: ['r/x'] }));
    allocator.putFramework('g', framework({ roles: ['r/y'] }));
    allocator.putAgent('a', agent('cpus:2;mem:100'));
    allocator.putAgent('b', agent('cpus:2;mem:100'));
    expect(cpus(cycle(allocator))).toEqual({ f: 2, g: 1 });
  });

  it('counts what is reserved for the role, used or not, but does not keep it from the role', () => {
    const allocator = newAllocator();
    limited(allocator, 'r', { cpus: 3, mem: 0 });
    allocator.putFramework('f', framework({ roles: ['r'] }));
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putAgent('b', agent('cpus(r):2;mem(r):1024'));
    expect(cpus(cycle(allocator))).toEqual({ f: 3 });
  });

  it('that is raised is used at once', () => {
    const allocator = newAllocator();
    limited(allocator, 'r', { cpus: 1, mem: 64 });
    allocator.putFramework('f', framework({ roles: ['r'] }));
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    expect(cpus(cycle(allocator))).toEqual({ f: 1 });
    limited(allocator, 'r', { cpus: 3, mem: 128 });
    expect(cpus(cycle(allocator))).toEqual({ f: 2 });
    allocator.setQuota('r', undefined);
    expect(cpus(cycle(allocator))).toEqual({ f: 1 });
  });
});

describe('a guarantee', () => {
  it('within the limit of a parent role is not used up by other roles there', () => {
    const allocator = newAllocator();
    limited(allocator, 'r', { cpus: 5 });
    guaranteed(allocator, 'r/x', { cpus: 3 });
    allocator.putFramework('y', framework({ roles: ['r/y'] }));
    allocator.putAgent('a', agent('cpus:9;mem:1024'));
    expect(cpus(cycle(allocator))).toEqual({ y: 2 });
    allocator.putFramework('x', framework({ roles: ['r/x'], min: [{ cpus: 1 }] }));
    expect(cpus(cycle(allocator))).toEqual({ x: 3 });
  });

  it('comes before fair shares', () => {
    const allocator = newAllocator();
    guaranteed(allocator, 'r', { cpus: 6 });
    allocator.putFramework('a-first', framework());
    allocator.putFramework('f', framework({ roles: ['r'] }));
    for (const id of ['a', 'b', 'c', 'd']) allocator.putAgent(id, agent('cpus:2;mem:128'));
    expect(cpus(cycle(allocator))).toEqual({ f: 6, 'a-first': 2 });
  });

  it('keeps as much free while its role is not there, or declines', () => {
    const allocator = newAllocator();
    guaranteed(allocator, 'r', { cpus: 5 });
    allocator.putFramework('other', framework());
    for (const id of ['a', 'b', 'c', 'd']) allocator.putAgent(id, agent('cpus:2;mem:128'));
    expect(cpus(cycle(allocator))).toEqual({ other: 3 });
    allocator.putFramework('f', framework({ roles: ['r'] }));
    const given = cycle(allocator);
    expect(cpus(given)).toEqual({ f: 5 });
    for (const allocation of given) decline(allocator, allocation, 5000);
    expect(cpus(cycle(allocator))).toEqual({});
  });

  it('of a role is met by its descendants, each of which keeps its own part', () => {
    const allocator = newAllocator();
    guaranteed(allocator, 'r', { cpus: 6 });
    guaranteed(allocator, 'r/x', { cpus: 4 });
    allocator.putFramework('other', framework());
    allocator.putFramework('y', framework({ roles: ['r/y'] }));
    for (const id of ['a', 'b', 'c', 'd']) allocator.putAgent(id, agent('cpus:2;mem:128'));
    const { y = 0, other = 0 } = cpus(cycle(allocator));
    expect(y).toBeGreaterThanOrEqual(2);
    expect(y + other).toBe(4);
    allocator.putFramework('x', framework({ roles: ['r/x'] }));
    expect(cpus(cycle(allocator))).toEqual({ x: 4 });
  });

  it('is met by what is reserved for the role', () => {
    const allocator = newAllocator();
    guaranteed(allocator, 'r', { cpus: 2 });
    allocator.putFramework('other', framework());
    allocator.putAgent('a', agent('cpus(r):2;mem(r):64;cpus:3;mem:64'));
    expect(cpus(cycle(allocator))).toEqual({ other: 3 });
  });

  it('that cannot be met whole is met as far as it goes, and ends with the quota', () => {
    const allocator = newAllocator();
    guaranteed(allocator, 'r', { cpus: 50 });
    allocator.putFramework('other', framework());
    allocator.putAgent('a', agent('cpus:2'));
    expect(cycle(allocator)).toEqual([]);
    allocator.setQuota('r', undefined);
    expect(cpus(cycle(allocator))).toEqual({ other: 2 });
  });

  it('makes one offer of both stages where both give of an agent', () => {
    const allocator = newAllocator();
    guaranteed(allocator, 'r', { cpus: 1 });
    guaranteed(allocator, 's', { cpus: 1 });
    allocator.putFramework('f', framework({ roles: ['r'] }));
    allocator.putAgent('a', agent('cpus:4;mem:1024'));
    allocator.putFramework('g', framework({ roles: ['s'], suppressed: ['s'] }));
    const given = cycle(allocator);
    expect(given).toHaveLength(1);
    expect(cpus(given)).toEqual({ f: 3 });
  });
});
