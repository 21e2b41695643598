import { afterEach, describe, expect, it } from 'vitest';
import { parseAttributes, parseResources } from '../protocol/index.ts';
import {
  type ConfiguredInfo,
  ReconfigurationError,
  type ReconfigurationPolicy,
  reconfigurationProblem,
} from './reconfiguration.ts';
import { createWorld, type SimulatedWorld } from './testing/simulated-world.ts';

const DOMAIN = { fault_domain: { region: { name: 'eu' }, zone: { name: 'eu-1' } } };

const before: ConfiguredInfo = {
  hostname: 'host-1',
  port: 5051,
  resources: parseResources('cpus:4;mem:1024'),
  attributes: parseAttributes('rack:r1'),
};

const changes: readonly (readonly [string, Partial<ConfiguredInfo>])[] = [
  ['nothing', {}],
  ['more resources', { resources: parseResources('cpus:4;mem:2048;disk:10') }],
  ['less resources', { resources: parseResources('cpus:3;mem:1024') }],
  ['more attributes', { attributes: parseAttributes('rack:r1;ssd:true') }],
  ['other attributes', { attributes: parseAttributes('rack:r2') }],
  ['a first domain', { domain: DOMAIN }],
  ['another name', { hostname: 'host-2' }],
  ['another port', { port: 5052 }],
];

/** The changes that a policy permits. */
function permitted(policy: ReconfigurationPolicy): readonly string[] {
  return changes
    .filter(([, change]) => !reconfigurationProblem(policy, before, { ...before, ...change }))
    .map(([name]) => name);
}

describe('the reconfiguration policy', () => {
  it('equal permits nothing, wherever the order is another', () => {
    expect(permitted('equal')).toEqual(['nothing']);
    const turned = { ...before, resources: parseResources('mem:1024;cpus:4') };
    expect(reconfigurationProblem('equal', before, turned)).toBeUndefined();
  });

  it('additive permits what takes nothing away', () => {
    expect(permitted('additive')).toEqual([
      ...['nothing', 'more resources', 'more attributes', 'a first domain'],
    ]);
    const elsewhere = { ...before, domain: DOMAIN };
    expect(reconfigurationProblem('additive', elsewhere, before)).toBe('the domain changed');
  });

  it('any permits all', () => {
    expect(permitted('any')).toHaveLength(changes.length);
  });
});

describe('an agent', () => {
  let world: SimulatedWorld;

  afterEach(() => world.close());

  it('does not start with what its policy refuses, and does when all is as it was', async () => {
    world = await createWorld({ settings: { reconfigurationPolicy: 'equal' } });
    await world.clock.run(100);
    await world.crashAgent();
    await world.startAgent(parseResources('cpus:16'));
    expect(world.fatalErrors).toEqual([expect.any(ReconfigurationError)]);
    await world.crashAgent();
    await world.startAgent(parseResources('cpus:8'));
    await world.clock.run(100);
    expect(world.master.subscriptions).toHaveLength(2);
  });

  it('takes every change when nobody forbids it', async () => {
    world = await createWorld();
    await world.clock.run(100);
    await world.crashAgent();
    await world.startAgent(parseResources('cpus:2'));
    await world.clock.run(100);
    expect(world.master.subscriptions.at(-1)?.total_resources).toMatchObject([
      { name: 'cpus', scalar: { value: 2 } },
    ]);
  });
});
