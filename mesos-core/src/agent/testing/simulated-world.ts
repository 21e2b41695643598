import { silentLogger, sleep } from '@factory/runtime';
import {
  type Faults,
  SimulatedNetwork,
  seededRandom,
  VirtualClock,
} from '@factory/runtime/simulated';
import type { Resource, Resources } from '../../protocol/index.ts';
import { type Agent, createAgent } from '../agent.ts';
import { type CheckpointStore, createMemoryDisk } from '../checkpoint/index.ts';
import {
  createInProcessHost,
  type InProcessExecutor,
  type InProcessHost,
  type LaunchRequest,
} from '../containerizer/index.ts';
import {
  createMemoryVolumes,
  type MemoryVolumes,
  type VolumeDirectories,
} from '../operations/volume-directories.ts';
import type { AgentSettings } from '../settings.ts';
import { createFakeMaster, type FakeMaster } from './fake-master.ts';
import { type ScriptedExecutor, startScriptedExecutor } from './scripted-executor.ts';

/** One agent, one master, and executors, all in this process, on virtual time. */
export interface SimulatedWorld {
  readonly clock: VirtualClock;
  readonly network: SimulatedNetwork;
  readonly master: FakeMaster;
  readonly host: InProcessHost;
  /** In order of their start. */
  readonly executors: ScriptedExecutor[];
  readonly agent: Agent;
  /** What made the agent give up. */
  readonly fatalErrors: unknown[];
  /** Counts commits; at the one named in `deathAt` the agent falls silent, as if it were dead. */
  readonly commits: CommitCounter;
  readonly volumes: MemoryVolumes;
  /** Kills the agent as SIGKILL does: nothing of what it was about to do happens. */
  crashAgent(): Promise<void>;
  /** @param resources other ones than before. */
  startAgent(resources?: Resources): Promise<void>;
  /** Runs an agent that only cleans up. */
  cleanUp(): Promise<void>;
  updatesOf(taskId: string): readonly (string | undefined)[];
  close(): Promise<void>;
}

/** See {@link SimulatedWorld.commits}. */
export interface CommitCounter {
  count: number;
  /** `isApplied`: it reached the disk before the agent died. */
  deathAt: { readonly count: number; readonly isApplied: boolean } | undefined;
}

/** A store on a slow disk. */
function slow(store: CheckpointStore, clock: VirtualClock, delayMs: number): CheckpointStore {
  if (delayMs === 0) return store;
  return {
    ...store,
    async commit(changes) {
      await sleep(clock, delayMs);
      await store.commit(changes);
    },
  };
}

/** A store whose owner dies at one of its commits: neither that nor a later one ever resolves. */
function mortal(store: CheckpointStore, commits: CommitCounter): CheckpointStore {
  let isDead = false;
  return {
    ...store,
    async commit(changes) {
      commits.count += 1;
      const death = commits.deathAt;
      if (isDead) return new Promise(() => undefined);
      if (commits.count !== death?.count) return store.commit(changes);
      isDead = true;
      if (death.isApplied) await store.commit(changes);
      return new Promise(() => undefined);
    },
  };
}

function scalar(name: string, value: number): Resource {
  return { name, type: 'SCALAR', scalar: { value } };
}

/** Starts the master and the agent; time passes only in `clock.run`. */
export async function createWorld(
  options: {
    readonly seed?: number | string;
    readonly faults?: Partial<Faults>;
    readonly settings?: Partial<AgentSettings>;
    readonly ignoresShutdown?: boolean;
    /** How long each commit takes; default none. */
    readonly checkpointMs?: number;
    /** Executors that never say a word. */
    readonly areSilent?: boolean;
    readonly resources?: Resources;
    /** Other volumes than those in memory. */
    readonly volumes?: VolumeDirectories;
    /** Other executors than the scripted ones. */
    readonly run?: (
      request: LaunchRequest,
      network: SimulatedNetwork,
      clock: VirtualClock,
    ) => InProcessExecutor;
  } = {},
): Promise<SimulatedWorld> {
  const { seed = 1, ignoresShutdown = false } = options;
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const networkRandom = seededRandom(`${seed}/network`);
  const network = new SimulatedNetwork({ clock, random: networkRandom });
  if (options.faults !== undefined) network.setFaults(options.faults);
  const master = createFakeMaster({ clock });
  await network.attach('http://master', master.app);
  const disk = createMemoryDisk();
  const executors: ScriptedExecutor[] = [];
  const fatalErrors: unknown[] = [];
  const host = createInProcessHost((request) => {
    const { promise: exited } = Promise.withResolvers<number>();
    if (options.run !== undefined) return options.run(request, network, clock);
    if (options.areSilent) return { exited, kill: () => undefined };
    const transport = network.transport(`executor-${executors.length}`);
    const executor = startScriptedExecutor({ clock, random, transport, request, ignoresShutdown });
    executors.push(executor);
    return executor;
  });
  const commits: CommitCounter = { count: 0, deathAt: undefined };
  const volumes = createMemoryVolumes('/work');
  let { resources = [scalar('cpus', 8)] } = options;
  let life = 0;
  let agent: Agent | undefined;
  const newAgent = (): Agent => {
    life += 1;
    return createAgent({
      ...{ clock, random, logger: silentLogger },
      transport: network.transport(`agent-1/${life}`),
      checkpoint: mortal(slow(disk.open(), clock, options.checkpointMs ?? 0), commits),
      containerizer: host.createContainerizer(),
      masters: ['http://master'],
      address: { hostname: 'agent-1', ip: 'agent-1', port: 5051 },
      resources,
      volumes: options.volumes ?? volumes,
      attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'r1' } }],
      settings: { workDir: '/work', switchUser: false, ...options.settings },
      onFatal: (error) => fatalErrors.push(error),
    });
  };
  const current = (): Agent => {
    if (agent === undefined) throw new Error('the agent is down');
    return agent;
  };
  const world: SimulatedWorld = {
    ...{ clock, network, master, host, executors, fatalErrors, commits, volumes },
    get agent() {
      return current();
    },
    async crashAgent() {
      // A newer owner of the disk: what the dead one still tries to write is refused.
      disk.open();
      network.detach('http://agent-1:5051');
      await Promise.all([current().close(), clock.run(100)]);
      agent = undefined;
    },
    async cleanUp() {
      const cleaner = newAgent();
      await cleaner.cleanUp();
      await cleaner.close();
    },
    async startAgent(others = resources) {
      resources = others;
      agent = newAgent();
      await network.attach('http://agent-1:5051', agent.app);
      // Not awaited: it never ends in an agent that dies while it recovers.
      agent.start().catch((error: unknown) => fatalErrors.push(error));
      await clock.run(50);
    },
    updatesOf(taskId) {
      const updates = master.updates.filter((update) => update.task_id.value === taskId);
      return updates.map((update) => update.state);
    },
    async close() {
      for (const executor of executors) executor.kill();
      await Promise.all([agent?.close(), clock.run(1000)]);
    },
  };
  await world.startAgent();
  await clock.run(100);
  return world;
}
