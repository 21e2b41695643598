import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type {} from '../protocol/index.ts';
import { readMasterFlags } from './flags.ts';
import { removalProblem } from './recovery.ts';
import { operatorCall } from './testing/operator.ts';
import { type TestAgent, World } from './testing/world.ts';

let world: World;
const endWorld = async (): Promise<void> => {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
};

async function startAgents(count: number): Promise<readonly TestAgent[]> {
  const agents: TestAgent[] = [];
  for (let index = 0; index < count; index += 1) {
    agents.push(await world.startAgent(`agent-${index}`, 'cpus:4;mem:1024'));
  }
  return agents;
}

async function limit(role: string, cpus: number): Promise<void> {
  const quota_configs = [{ role, limits: { cpus: { value: cpus } } }];
  await operatorCall(world, { type: 'UPDATE_QUOTA', update_quota: { quota_configs } });
}

const failOver = async (): Promise<void> => {
  await world.stopMaster();
  await world.startMaster();
};

describe('a new master where quota is set', () => {
  afterEach(endWorld);

  it('offers nothing until most agents are back: their tasks count for it', async () => {
    world = new World();
    await world.startMaster();
    const agents = await startAgents(5);
    await limit('eng', 8);
    const [first, second, ...others] = agents;
    await first?.crash();
    await second?.crash();
    await failOver();
    const scheduler = await world.startScheduler('scheduler');
    await world.run(60_000);
    expect(others).toHaveLength(3);
    expect(scheduler.offers).toEqual([]);
    await first?.restart();
    await world.run(2000);
    expect(scheduler.offers).not.toEqual([]);
  });

  it('waits no longer than --allocator_recovery_timeout', async () => {
    world = new World({ settings: { allocatorRecoveryTimeoutMs: 100_000 } });
    await world.startMaster();
    const [first, second] = await startAgents(3);
    await limit('eng', 8);
    await first?.crash();
    await second?.crash();
    await failOver();
    const scheduler = await world.startScheduler('scheduler');
    await world.run(90_000);
    expect(scheduler.offers).toEqual([]);
    await world.run(20_000);
    expect(scheduler.offers).not.toEqual([]);
  });

  it('does not wait when no quota was set', async () => {
    world = new World();
    await world.startMaster();
    const [first, second] = await startAgents(3);
    await first?.crash();
    await second?.crash();
    await failOver();
    const scheduler = await world.startScheduler('scheduler');
    await world.run(60_000);
    expect(scheduler.offers).not.toEqual([]);
  });
});

describe('a new master to which too few agents come back', () => {
  afterEach(endWorld);

  const unreachable = async (): Promise<number> =>
    (await world.registry.load())?.agents.filter(({ state }) => state === 'unreachable').length ??
    0;

  it.each([
    [0.5, 0],
    [0.7, 2],
  ])('and a limit of %d declares %i of two out of three unreachable', async (limit, count) => {
    world = new World({
      settings: { agentReregisterTimeoutMs: 60_000, recoveryAgentRemovalLimit: limit },
    });
    await world.startMaster();
    const [first, second] = await startAgents(3);
    await first?.crash();
    await second?.crash();
    await failOver();
    await world.run(120_000);
    expect(await unreachable()).toBe(count);
  });
});

describe('the problem of too few agents', () => {
  it('says so', () => {
    expect(removalProblem(3, 2, 0.5)).toBe(
      '2 (66.7%) of the agents in the registry did not come back; ' +
        '--recovery_agent_removal_limit is 50%',
    );
  });

  it('goes on exactly while they are no larger a part', () => {
    const part = fc.integer({ min: 0, max: 100 });
    fc.assert(
      fc.property(fc.nat(1000), part, part, (expected, percent, limitPercent) => {
        const absent = Math.floor((expected * percent) / 100);
        const isFine = absent * 100 <= expected * limitPercent;
        expect(removalProblem(expected, absent, limitPercent / 100) === undefined).toBe(isFine);
      }),
    );
  });
});

describe('flags of recovery', () => {
  it('are read in the form of Mesos', () => {
    const argv = [
      ...['--recovery_agent_removal_limit=62.5%', '--registry_max_agent_age=3days'],
      ...['--registry_max_agent_count=7', '--allocator_agent_recovery_factor=0.5'],
    ];
    expect(readMasterFlags(argv, {})).toMatchObject({
      recoveryAgentRemovalLimit: 0.625,
      registryMaxAgentAgeMs: 3 * 24 * 3600 * 1000,
      registryMaxAgentCount: 7,
      allocatorAgentRecoveryFactor: 0.5,
      allocatorRecoveryTimeoutMs: 600_000,
    });
  });

  it.each([
    '--recovery_agent_removal_limit=50',
    '--recovery_agent_removal_limit=101%',
    '--allocator_agent_recovery_factor=1.5',
  ])('%s is none', (flag) => {
    expect(() => readMasterFlags([flag], {})).toThrow();
  });
});
