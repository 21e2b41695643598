import { silentLogger } from '@factory/runtime';
import {
  type Faults,
  SimulatedNetwork,
  seededRandom,
  VirtualClock,
} from '@factory/runtime/simulated';
import { type Agent, createAgent } from '../../agent/agent.ts';
import { createMemoryDisk } from '../../agent/checkpoint/index.ts';
import { createInProcessHost } from '../../agent/containerizer/index.ts';
import {
  createMemoryVolumes,
  type MemoryVolumes,
} from '../../agent/operations/volume-directories.ts';
import {
  type ScriptedExecutor,
  startScriptedExecutor,
} from '../../agent/testing/scripted-executor.ts';
import { type Credential, SchedulerClient, type SchedulerClientCall } from '../../client/index.ts';
import {
  type Encoding,
  type ExecutorInfo,
  type FrameworkInfo,
  type Offer,
  type OperationStatus,
  parseResources,
  type SchedulerEvent,
  type TaskInfo,
  type TaskStatus,
} from '../../protocol/index.ts';
import type { AgentSecurity, Security } from '../../security/index.ts';
import { createMaster, createMemoryRegistryStore, type Master } from '../index.ts';
import type { MasterSettings } from '../settings.ts';

const MASTER = 'http://master:5050';

/** A framework as the tests like it best. */
export const FRAMEWORK: FrameworkInfo = {
  name: 'test',
  user: 'root',
  checkpoint: true,
  failover_timeout: 3600,
  roles: ['eng'],
  capabilities: [
    { type: 'MULTI_ROLE' },
    { type: 'PARTITION_AWARE' },
    { type: 'RESERVATION_REFINEMENT' },
  ],
};

/** A task with an executor, as a scheduler launches it. */
export function taskOn(offer: Offer, id: string, resources = 'cpus:1;mem:128'): TaskInfo {
  const executor: ExecutorInfo = {
    type: 'CUSTOM',
    executor_id: { value: 'executor-1' },
    command: { value: 'executor' },
    resources: parseResources('cpus:0.1;mem:32'),
    name: 'scripted',
  };
  return {
    name: id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    executor,
    resources: parseResources(resources),
  };
}

/** ACCEPT of one offer that launches tasks. */
export function launch(offer: Offer, ...tasks: readonly TaskInfo[]): SchedulerClientCall {
  return {
    type: 'ACCEPT',
    accept: {
      offer_ids: [offer.id],
      operations: [{ type: 'LAUNCH', launch: { task_infos: tasks } }],
      filters: { refuse_seconds: 0 },
    },
  };
}

/** A scheduler that writes down what it is told and acknowledges updates. */
export class TestScheduler {
  readonly client: SchedulerClient;
  readonly events: SchedulerEvent[] = [];
  /** Monotonic time of each event. */
  readonly times: number[] = [];
  /** Why the client gave up. */
  failure: unknown;
  acknowledges = true;
  acknowledgesOperations = false;

  constructor(world: World, name: string, info: FrameworkInfo, encoding: Encoding) {
    const { clock, network } = world;
    this.client = new SchedulerClient({
      ...{ clock, encoding, random: seededRandom(name), logger: silentLogger },
      transport: network.transport(name),
      masters: [MASTER],
      frameworkInfo: info,
      ...(world.security.scheduler === undefined ? {} : { credential: world.security.scheduler }),
      onEvent: (event) => {
        this.events.push(event);
        this.times.push(clock.monotonicMs());
        if (event.type === 'UPDATE') this.#acknowledge(event.update.status);
        if (event.type === 'UPDATE_OPERATION_STATUS') {
          this.#acknowledgeOperation(event.update_operation_status.status);
        }
      },
    });
    this.client.run().catch((error: unknown) => {
      this.failure = error;
    });
  }

  get id(): string {
    return this.client.frameworkId ?? '';
  }

  /** Updates of a task: `TASK_RUNNING`, or with its reason `TASK_LOST REASON_AGENT_REMOVED`. */
  updates(taskId: string): readonly string[] {
    return this.statuses(taskId).map(({ state, reason }) => [state, reason].join(' ').trim());
  }

  statuses(taskId?: string): readonly TaskStatus[] {
    return this.of('UPDATE')
      .map(({ update }) => update.status)
      .filter((status) => taskId === undefined || status.task_id.value === taskId);
  }

  of<T extends SchedulerEvent['type']>(type: T) {
    return this.events.filter(
      (event): event is Extract<SchedulerEvent, { type: T }> => event.type === type,
    );
  }

  get offers(): readonly Offer[] {
    return this.of('OFFERS').flatMap(({ offers }) => offers.offers ?? []);
  }

  /** The newest offer. */
  get offer(): Offer {
    const offer = this.offers.at(-1);
    if (offer === undefined) throw new Error('There was no offer');
    return offer;
  }

  #acknowledgeOperation({ uuid, operation_id, agent_id }: OperationStatus): void {
    if (!this.acknowledgesOperations || uuid === undefined || operation_id === undefined) return;
    const acknowledge_operation_status = { agent_id, operation_id, uuid: uuid.value };
    const type = 'ACKNOWLEDGE_OPERATION_STATUS';
    this.client.call({ type, acknowledge_operation_status }).catch(() => undefined);
  }

  #acknowledge({ uuid, task_id, agent_id }: TaskStatus): void {
    if (!this.acknowledges || uuid === undefined || agent_id === undefined) return;
    const call = { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } } as const;
    // One that does not arrive is asked for again.
    this.client.call(call).catch(() => undefined);
  }
}

/** A real agent with executors that live in this process. */
export interface TestAgent {
  readonly agent: Agent;
  readonly origin: string;
  readonly executors: readonly ScriptedExecutor[];
  readonly volumes: MemoryVolumes;
  /** As SIGKILL does. Executors go on. */
  crash(): Promise<void>;
  restart(): Promise<void>;
}

/** Who asks for secrets, and who has which. */
export interface WorldSecurity {
  readonly master?: Security;
  readonly agent?: AgentSecurity;
  readonly scheduler?: Credential;
}

/** One master, some agents and schedulers, on virtual time. */
export class World {
  readonly clock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly registry = createMemoryRegistryStore();
  readonly #settings: Partial<MasterSettings>;
  readonly security: WorldSecurity;
  readonly #agents: TestAgent[] = [];
  readonly #schedulers: TestScheduler[] = [];
  #master: Master | undefined;

  constructor(
    options: {
      settings?: Partial<MasterSettings>;
      faults?: Partial<Faults>;
      security?: WorldSecurity;
    } = {},
  ) {
    this.security = options.security ?? {};
    this.#settings = options.settings ?? {};
    const random = seededRandom('network');
    this.network = new SimulatedNetwork({ clock: this.clock, random, ...options });
  }

  get master(): Master {
    if (this.#master === undefined) throw new Error('the master is down');
    return this.#master;
  }

  async startMaster(): Promise<void> {
    this.#master = await createMaster({
      clock: this.clock,
      random: seededRandom('master'),
      logger: silentLogger,
      registry: this.registry,
      address: { hostname: 'master', ip: '127.0.0.1', port: 5050 },
      settings: this.#settings,
      ...(this.security.master === undefined ? {} : { security: this.security.master }),
    });
    await this.network.attach(MASTER, this.#master.app);
  }

  /** As SIGKILL does: what it knew is gone, but for the registry. */
  async stopMaster(): Promise<void> {
    this.network.detach(MASTER);
    await this.master.close();
    this.#master = undefined;
    await this.run(10);
  }

  async startAgent(name: string, resources = 'cpus:8;mem:8192'): Promise<TestAgent> {
    const { clock, network } = this;
    const executors: ScriptedExecutor[] = [];
    const disk = createMemoryDisk();
    const volumes = createMemoryVolumes('/work');
    const host = createInProcessHost((request) => {
      const executor = startScriptedExecutor({
        ...{ clock, request, random: seededRandom(`${name}/executor`) },
        transport: network.transport(`${name}/executor-${executors.length}`),
      });
      executors.push(executor);
      return executor;
    });
    const origin = `http://${name}:5051`;
    let agent: Agent;
    const start = async (): Promise<void> => {
      agent = createAgent({
        ...{ clock, random: seededRandom(name), logger: silentLogger },
        transport: network.transport(origin),
        checkpoint: disk.open(),
        containerizer: host.createContainerizer(),
        masters: [MASTER],
        address: { hostname: name, ip: name, port: 5051 },
        resources: parseResources(resources),
        attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'r1' } }],
        settings: { workDir: '/work', switchUser: false },
        volumes,
        ...(this.security.agent === undefined ? {} : { security: this.security.agent }),
      });
      await network.attach(origin, agent.app);
      await agent.start();
      await this.run(50);
    };
    await start();
    const testAgent: TestAgent = {
      get agent() {
        return agent;
      },
      ...{ origin, executors, volumes, restart: start },
      crash: async () => {
        disk.open();
        network.detach(origin);
        await Promise.all([agent.close(), this.run(100)]);
      },
    };
    this.#agents.push(testAgent);
    return testAgent;
  }

  async startScheduler(
    name: string,
    info: FrameworkInfo = FRAMEWORK,
    encoding: Encoding = 'json',
  ): Promise<TestScheduler> {
    const scheduler = new TestScheduler(this, name, info, encoding);
    this.#schedulers.push(scheduler);
    await this.run(50);
    return scheduler;
  }

  run(durationMs: number): Promise<void> {
    return this.clock.run(durationMs);
  }

  /** Has a scheduler make a call, and lets it take effect. @throws what the call throws. */
  async call(scheduler: TestScheduler, call: SchedulerClientCall): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    scheduler.client.call(call).then(resolve, reject);
    promise.catch(() => undefined);
    await this.run(50);
    await promise;
  }

  async close(): Promise<void> {
    for (const { executors } of this.#agents) for (const executor of executors) executor.kill();
    const all = [
      ...this.#schedulers.map(({ client }) => client.stop()),
      ...this.#agents.map(({ agent }) => agent.close()),
      this.#master?.close(),
    ];
    await Promise.all([...all, this.run(1000)]);
  }
}
