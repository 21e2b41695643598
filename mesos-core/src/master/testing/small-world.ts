import { expect } from 'vitest';
import type { Encoding, FrameworkInfo } from '../../protocol/index.ts';
import { FRAMEWORK, type TestAgent, type TestScheduler, World } from './world.ts';

/** What most tests of a subject of the master need: see {@link World} for the parts. */
export interface SmallWorld {
  readonly world: World;
  readonly agent: TestAgent;
  /** What the master calls it. */
  readonly agentId: string;
  readonly scheduler: TestScheduler;
}

/** A master with one agent, and one scheduler that has been offered all of it. */
export async function startSmallWorld(
  options: {
    readonly resources?: string;
    readonly framework?: FrameworkInfo;
    readonly encoding?: Encoding;
  } = {},
): Promise<SmallWorld> {
  const { resources = 'cpus:8;mem:8192', framework = FRAMEWORK, encoding = 'json' } = options;
  const world = new World();
  await world.startMaster();
  const agent = await world.startAgent('agent-1', resources);
  const scheduler = await world.startScheduler('scheduler', framework, encoding);
  return { world, agent, agentId: agent.agent.agentId ?? '', scheduler };
}

/** Ends a test: whatever was done in it, the master's books have to be right. */
export async function endWorld(world: World): Promise<void> {
  expect(world.master.invariants()).toEqual([]);
  await world.close();
}
