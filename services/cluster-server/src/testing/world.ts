import type {
  Changes,
  DesiredChange,
  HostCapacity,
  OperationRequest,
  VmAssignment,
  VmReport,
} from '@factory/contracts';
import { createHttpApp, silentLogger, sleep } from '@factory/runtime';
import {
  type Faults,
  SimulatedNetwork,
  seededRandom,
  VirtualClock,
} from '@factory/runtime/simulated';
import type { FastifyInstance } from 'fastify';
import { type ClusterServerService, createClusterServer } from '../index.ts';
import { LinkClient } from '../link/link-client.ts';
import { VmSchedulerClient } from '../picture/scheduler-client.ts';
import { type ClusterStore, createMemoryStore } from '../store.ts';
import { FakeApiServer } from './fake-api-server.ts';

/** A vm-scheduler that remembers what it was asked, and says what the test has it say. */
export class FakeVmScheduler {
  readonly app: FastifyInstance;
  readonly puts: VmAssignment[][] = [];
  readonly desired: DesiredChange[][] = [];
  readonly operations: OperationRequest[][] = [];
  readonly hostsGone: string[] = [];
  readonly queries: { after: number; waitMs: number; reported?: number }[] = [];
  waiting = { vcpus: 0, memoryMiB: 0 };
  /** Asked with the body before each call that changes something; what it throws is the answer. */
  beforeChange: (body: unknown) => void = () => undefined;
  /** Machines that it does not have. */
  unknown: readonly string[] = [];
  #changes: VmReport[] = [];
  #wake: () => void = () => undefined;

  constructor(clock: VirtualClock) {
    this.app = createHttpApp({ service: 'fake-vm-scheduler', clock, logger: silentLogger });
    this.app.put('/v1/vms', async (request) => {
      this.beforeChange(request.body);
      this.puts.push((request.body as { vms: VmAssignment[] }).vms);
      return {};
    });
    this.app.post('/v1/desired', async (request) => {
      this.beforeChange(request.body);
      const { changes } = request.body as { changes: DesiredChange[] };
      this.desired.push(changes);
      const isUnknown = ({ vmId }: DesiredChange) => this.unknown.includes(vmId);
      return { unknown: changes.filter(isUnknown).map(({ vmId }) => vmId) };
    });
    this.app.post('/v1/hosts-gone', async (request) => {
      this.beforeChange(request.body);
      this.hostsGone.push((request.body as { hostName: string }).hostName);
      return {};
    });
    this.app.post('/v1/operations', async (request) => {
      this.beforeChange(request.body);
      this.operations.push((request.body as { operations: OperationRequest[] }).operations);
      return {};
    });
    this.app.post('/v1/changes', async (request): Promise<Changes> => {
      const query = request.body as (typeof this.queries)[number];
      this.queries.push(query);
      const newer = () => this.#changes.filter(({ revision }) => revision > query.after);
      if (newer().length === 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = clock.after(query.waitMs, resolve);
        this.#wake = resolve;
        await promise;
        timer.cancel();
      }
      const vms = newer();
      const revision = vms.at(-1)?.revision ?? query.after;
      return { revision, vms, operations: [], waiting: this.waiting };
    });
  }

  /** This has happened to VMs; revisions must grow. */
  changed(...reports: readonly VmReport[]): void {
    const ids = new Set(reports.map(({ vmId }) => vmId));
    this.#changes = [...this.#changes.filter(({ vmId }) => !ids.has(vmId)), ...reports];
    this.#wake();
  }
}

/** A cluster-server between an api-server and a vm-scheduler that the test plays. */
export class World {
  readonly clock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly apiServer: FakeApiServer;
  readonly vmScheduler: FakeVmScheduler;
  readonly store: ClusterStore = createMemoryStore();
  hosts: HostCapacity[] = [host(1, 16, 16_384)];
  /** How long reading the hosts takes. */
  hostsDelayMs = 0;
  /** Thrown when the hosts are read. */
  hostsFailure: Error | undefined;
  /** Agents that the master was told will not come back. */
  readonly markedGone: string[] = [];
  fencedCount = 0;
  #started = 0;

  private constructor(seed: number, faults: Partial<Faults>) {
    this.network = new SimulatedNetwork({ clock: this.clock, random: seededRandom(seed), faults });
    this.apiServer = new FakeApiServer(this.clock);
    this.vmScheduler = new FakeVmScheduler(this.clock);
  }

  static async create(seed = 1, faults: Partial<Faults> = {}): Promise<World> {
    const world = new World(seed, faults);
    await world.network.attach('http://api', world.apiServer.app);
    await world.network.attach('http://vm-scheduler', world.vmScheduler.app);
    return world;
  }

  /** A cluster-server process, started. */
  start(enrolmentToken: string | null = 'a-token-of-enough-length'): ClusterServerService {
    this.#started += 1;
    const { clock, network, store } = this;
    const random = seededRandom(`${this.#started}`);
    const transport = network.transport('cluster-server');
    const service = createClusterServer({
      clock,
      random,
      logger: silentLogger,
      name: 'cluster-1',
      enrolmentToken: enrolmentToken ?? undefined,
      store,
      linkClient: new LinkClient({ clock, random, transport, url: 'http://api' }),
      vmScheduler: new VmSchedulerClient(transport, 'http://vm-scheduler'),
      readHosts: async () => {
        await sleep(clock, this.hostsDelayMs);
        if (this.hostsFailure !== undefined) throw this.hostsFailure;
        return this.hosts;
      },
      readImages: async () => [{ name: 'micro' }],
      markAgentGone: async (agentId) => {
        this.markedGone.push(agentId);
      },
      onFenced: () => {
        this.fencedCount += 1;
      },
    });
    service.start();
    return service;
  }

  /** Ends a process while virtual time goes on. */
  async stop(service: ClusterServerService): Promise<void> {
    let isOver = false;
    const closing = service.close().then(() => {
      isOver = true;
      this.clock.noteActivity();
    });
    await this.clock.runUntil(() => isOver, 60_000, 'the end of the cluster-server');
    await closing;
  }
}

export function host(n: number, freeVcpus: number, freeMemoryMiB: number): HostCapacity {
  return {
    agentId: `agent-${n}`,
    hostName: `host-${n}`,
    active: true,
    totalVcpus: freeVcpus,
    totalMemoryMiB: freeMemoryMiB,
    freeVcpus,
    freeMemoryMiB,
  };
}
