import {
  type ApiServer,
  createApiServer,
  createMemoryStore as createApiStore,
  MemoryDatabase,
  MemoryJobQueue,
} from '@factory/api-server';
import {
  type ClusterServerService,
  createClusterServer,
  createMemoryStore as createClusterStore,
  createGoneMarker,
  createHostReader,
  createMemoryImageShelf,
  LinkClient,
  simulatedImage,
  VmSchedulerClient,
} from '@factory/cluster-server';
import { type ProjectId, ProjectIdSchema, type Shape } from '@factory/contracts';
import { type Logger, type Random, silentLogger, waitFor } from '@factory/runtime';
import {
  type Faults,
  SimulatedNetwork,
  seededRandom,
  VirtualClock,
} from '@factory/runtime/simulated';
import {
  createFrameworkFinder,
  createMesosFramework,
  createMemoryStore as createSchedulerStore,
  createVmScheduler,
  type SchedulerFaults,
  type VmSchedulerService,
} from '@factory/vm-scheduler';
import { createMaster, createMemoryRegistryStore, type Master } from 'mesos-core/master';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { World } from './audit.ts';
import { SimulatedProcess } from './process.ts';
import { type AgentOffers, type PortFaults, type SimContext, SimHost } from './sim-host.ts';
import { User } from './user.ts';

const API = 'http://10.0.0.1:8081';
const CLUSTER = 'http://10.0.0.2:8090';
const SCHEDULER = 'http://10.0.0.3:8091';
const MASTER = 'http://10.0.0.4:5050';
const INTERNAL_TOKEN = 'internal-token-of-the-simulation';
const SUBNET_CIDR = '10.80.0.0/16';
const SETUP_TIMEOUT_MS = 60_000;
/** An image of which no machine is made. */
export const TOOLS = simulatedImage('tools');

const Bootstrap = Compile(
  Type.Object({
    projectId: ProjectIdSchema,
    clusters: Type.Array(Type.Object({ token: Type.String() })),
  }),
);

export interface SimulationOptions {
  readonly seed: number | string;
  readonly agents: number;
  /** Of each agent; some room is the executor's. */
  readonly hostShape?: Shape;
  /** From the moment that the cluster has enrolled and its agents are known. */
  readonly faults?: Partial<Faults>;
  /** From the same moment on, this part of all calls of hypervisors and storages goes wrong. */
  readonly portFaultRate?: number;
  /** Where the scheduler is ended; see {@link SimulatedFactory.restartScheduler}. */
  readonly schedulerFaults?: SchedulerFaults;
  /** Hosts have tunnels to each other, and copies of images, of which the cluster has {@link TOOLS}. */
  readonly isWhole?: boolean;
  /** What each agent has beside cores, memory and disk. */
  readonly offers?: AgentOffers;
  readonly logger?: Logger;
}

/** 22 machines with one core fit beside the executor. */
const DEFAULT_SHAPE: Shape = { vcpus: 22.5, memoryMiB: 4096 };

/**
 * A whole factory with one cluster in this process: every part is the real one, over a network that
 * loses and repeats messages; only guests are simulated. What parts store outlives their crashes.
 */
export class SimulatedFactory {
  readonly clock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly portFaults: PortFaults = { rate: 0, seen: new Map() };
  readonly hosts: readonly SimHost[];
  /** What made a part give up; must stay empty. */
  readonly fatalErrors: string[] = [];
  readonly #options: SimulationOptions;
  readonly #world: SimContext;
  readonly #database = new MemoryDatabase();
  #schedulerStore = createSchedulerStore();
  #clusterStore = createClusterStore();
  #api: { readonly server: ApiServer; readonly jobs: MemoryJobQueue } | undefined;
  #master: Master | undefined;
  #scheduler: { readonly life: SimulatedProcess; readonly service: VmSchedulerService } | undefined;
  #cluster: { readonly life: SimulatedProcess; readonly service: ClusterServerService } | undefined;
  #user: User | undefined;
  #token = '';
  #lives = 0;

  constructor(options: SimulationOptions) {
    const { seed, logger = silentLogger, isWhole = false } = options;
    this.#options = options;
    this.network = new SimulatedNetwork({
      clock: this.clock,
      random: seededRandom(`${seed}/network`),
    });
    const { clock, network, portFaults } = this;
    this.#world = { clock, network, logger, seed, portFaults, isWhole, offers: options.offers };
    const shape = options.hostShape ?? DEFAULT_SHAPE;
    this.hosts = Array.from(
      { length: options.agents },
      (_, index) => new SimHost(this.#world, index + 1, shape, MASTER),
    );
  }

  /** The project's user, who calls the API over the same network. */
  get user(): User {
    if (this.#user === undefined) throw new Error('the factory is not started');
    return this.#user;
  }

  /** What api-server, scheduler and hosts have at this moment. */
  get world(): World {
    const { life, service } = this.#scheduler ?? {};
    return {
      nowMs: this.clock.nowMs(),
      api: [...this.#database.vms.values()],
      scheduler: life?.isAlive === true ? [...(service?.state.vms() ?? [])] : undefined,
      hosts: this.hosts.map((host) => host.inventory()),
    };
  }

  get master(): Master {
    if (this.#master === undefined) throw new Error('the factory is not started');
    return this.#master;
  }

  /**
   * Brings everything up; only then the network begins to fail: an enrolment whose answer is lost
   * is repaired by a person with a new token.
   */
  async start(): Promise<void> {
    const projectId = await this.#startApi();
    this.#user = new User({
      clock: this.clock,
      random: this.#random('user'),
      transport: this.network.transport('user'),
      url: API,
      projectId,
      internalToken: INTERNAL_TOKEN,
    });
    const { clock, logger } = this.#world;
    this.#master = await createMaster({
      clock,
      logger,
      random: this.#random('master'),
      registry: createMemoryRegistryStore(),
      address: { hostname: '10.0.0.4', ip: '10.0.0.4', port: 5050 },
    });
    await this.network.attach(MASTER, this.#master.app);
    await this.startScheduler();
    await this.startClusterServer();
    await this.#drive(async () => {
      await Promise.all(this.hosts.map((host) => host.start()));
      await this.#untilAllIsKnown();
    });
    this.network.setFaults(this.#options.faults ?? {});
    this.portFaults.rate = this.#options.portFaultRate ?? 0;
  }

  /** Runs `work`, whose time passes as fast as the machine can, at most `maxMs` of it. */
  async drive<T>(maxMs: number, work: () => Promise<T>): Promise<T> {
    let isDone = false;
    const result = work().finally(() => {
      isDone = true;
      this.clock.noteActivity();
    });
    // The first failure counts; a deadline of the clock is one too.
    result.catch(() => undefined);
    await this.clock.runUntil(() => isDone, maxMs, 'the scenario');
    return result;
  }

  /** SIGKILL for all executors; guests run on, and the agents report the loss. */
  killExecutors(): void {
    for (const host of this.hosts) host.killExecutors();
  }

  /** Executors that run. */
  executorCount(): number {
    return this.hosts.reduce((sum, { processes }) => sum + processes.running.size, 0);
  }

  /** SIGKILL; nothing of what it was about to do happens. */
  killScheduler(): void {
    this.#scheduler?.life.kill();
    this.network.detach(SCHEDULER);
  }

  /** A new scheduler on the store of the one before. */
  async startScheduler(): Promise<void> {
    const life = this.#newLife(SCHEDULER);
    const random = this.#random(`scheduler/${this.#lives}`);
    const { logger } = this.#world;
    const { schedulerFaults: faults } = this.#options;
    const service = createVmScheduler({
      ...{ clock: life.clock, random, logger },
      framework: createMesosFramework({
        ...{ clock: life.clock, random, logger, transport: life.transport },
        masters: [MASTER],
        role: 'vms',
        principal: 'vm-scheduler',
        findLeft: createFrameworkFinder({
          ...{ clock: life.clock, random, transport: life.transport, masters: () => [MASTER] },
          ...{ role: 'vms', principal: 'vm-scheduler' },
        }),
        onFenced: (error) => this.#fatal(life, `vm-scheduler: ${error.message}`),
      }),
      store: life.guard(this.#schedulerStore),
      role: 'vms',
      executorCommand: 'simulated',
      ...(faults === undefined ? {} : { faults }),
    });
    await service.start();
    await this.network.attach(SCHEDULER, service.app);
    this.#scheduler = { life, service };
  }

  /** SIGKILL, and another one `afterMs` later. */
  restartScheduler(afterMs: number): void {
    this.killScheduler();
    this.clock.after(afterMs, () => {
      this.startScheduler().catch((error: unknown) => {
        this.fatalErrors.push(`no new vm-scheduler: ${String(error)}`);
      });
    });
  }

  /** SIGKILL. */
  killClusterServer(): void {
    this.#cluster?.life.kill();
    this.network.detach(CLUSTER);
  }

  /** A new cluster-server on the store of the one before. */
  async startClusterServer(): Promise<void> {
    const life = this.#newLife(CLUSTER);
    const random = this.#random(`cluster-server/${this.#lives}`);
    const { clock, transport } = life;
    const service = createClusterServer({
      ...{ clock, random, logger: this.#world.logger },
      name: 'idc-1',
      enrolmentToken: this.#token,
      store: life.guard(this.#clusterStore),
      linkClient: new LinkClient({ clock, random, transport, url: API }),
      vmScheduler: new VmSchedulerClient(transport, SCHEDULER),
      readHosts: createHostReader({ transport, clock, masters: () => [MASTER] }),
      readImages: async () => [{ name: 'micro' }, ...(this.#world.isWhole ? [TOOLS] : [])],
      imageShelf: this.#world.isWhole ? createMemoryImageShelf([TOOLS]) : undefined,
      markAgentGone: createGoneMarker({ transport, clock, masters: () => [MASTER] }),
      onFenced: () => this.#fatal(life, 'cluster-server: fenced'),
    });
    service.start();
    await this.network.attach(CLUSTER, service.app);
    this.#cluster = { life, service };
  }

  /** The cluster's database is lost with its services; both start on an empty one. */
  async loseClusterDatabase(): Promise<void> {
    this.killScheduler();
    this.killClusterServer();
    this.#schedulerStore = createSchedulerStore();
    this.#clusterStore = createClusterStore();
    await this.#askForToken({ reenrol: ['idc-1'] });
    await this.startScheduler();
    await this.startClusterServer();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.killExecutors();
    this.#cluster?.life.kill();
    this.#scheduler?.life.kill();
    await this.#drive(async () => {
      await Promise.all(this.hosts.map((host) => host.agent.close()));
      await this.#master?.close();
      await this.#api?.server.close();
      await this.#api?.jobs.close();
    });
  }

  async #startApi(): Promise<ProjectId> {
    const { clock, logger } = this.#world;
    const jobs = new MemoryJobQueue(clock, logger);
    const server = await createApiServer({
      ...{ clock, logger, jobs, random: this.#random('api-server') },
      store: createApiStore(this.#database),
      internalToken: INTERNAL_TOKEN,
      secretKey: '42'.repeat(32),
      subnetCidr: SUBNET_CIDR,
    });
    this.#api = { server, jobs };
    await this.network.attach(API, server.app);
    await server.start();
    return this.#askForToken({});
  }

  /** A token for the cluster to enrol with; gives the project. */
  async #askForToken(more: object): Promise<ProjectId> {
    const answer = await this.#api?.server.app.inject({
      method: 'POST',
      url: '/internal/v1/bootstrap',
      headers: { authorization: `Bearer ${INTERNAL_TOKEN}` },
      payload: { clusters: ['idc-1'], ...more },
    });
    const { projectId, clusters } = Bootstrap.Parse(answer?.json());
    this.#token = clusters[0]?.token ?? '';
    return projectId;
  }

  async #untilAllIsKnown(): Promise<void> {
    await waitFor(this.clock, 'the cluster with all its hosts', SETUP_TIMEOUT_MS, async () => {
      const hosts = await this.user.hostsReady();
      return hosts === this.hosts.length ? true : undefined;
    });
  }

  #drive<T>(work: () => Promise<T>): Promise<T> {
    return this.drive(SETUP_TIMEOUT_MS * 2, work);
  }

  #newLife(name: string): SimulatedProcess {
    this.#lives += 1;
    return new SimulatedProcess(this.clock, this.network, name);
  }

  #random(part: string): Random {
    return seededRandom(`${this.#options.seed}/${part}`);
  }

  #fatal(life: SimulatedProcess, message: string): void {
    if (life.isAlive) this.fatalErrors.push(message);
  }
}
