import type { Shape, VmId, VmReason } from '@factory/contracts';
import type { Clock, Logger, Random } from '@factory/runtime';
import { type SimulatedNetwork, seededRandom } from '@factory/runtime/simulated';
import {
  createHostHardware,
  createMemoryPublisher,
  createMemoryStorage,
  createMesosLink,
  createSimulatedHypervisor,
  createVmExecutor,
  type FaultKind,
  faulty,
  type ImagePresence,
  SimulatedHost,
} from '@factory/vm-executor';
import {
  type Agent,
  createAgent,
  createInProcessHost,
  createMemoryDisk,
  type InProcessExecutor,
  type InProcessHost,
  type LaunchRequest,
} from 'mesos-core/agent';
import { readExecutorEnvironment } from 'mesos-core/client';
import { parseAttributes, parseResources } from 'mesos-core/protocol';
import type { HostInventory } from './audit.ts';
import { createSimulatedImages } from './image-cache.ts';
import { SimulatedProcess } from './process.ts';

/** What every part of one simulation is given. */
export interface SimContext {
  readonly clock: Clock;
  readonly network: SimulatedNetwork;
  readonly logger: Logger;
  readonly seed: number | string;
  /** What hosts do to the calls of their executors. */
  readonly portFaults: PortFaults;
  /** Hosts have tunnels to each other, and copies of images; without, there is less to tell. */
  readonly isWhole: boolean;
  /** What each agent has beside cores, memory and disk, and says of its host, in Mesos' forms. */
  readonly offers?: AgentOffers | undefined;
}

export interface AgentOffers {
  readonly resources: string;
  readonly attributes: string;
}

/** How often calls of hypervisors, networks and storages go wrong, and how often they did. */
export interface PortFaults {
  /** Of each call: from 0 to 1. */
  rate: number;
  readonly seen: Map<string, number>;
}

const HYPERVISOR_REASONS: readonly VmReason[] = ['HYPERVISOR_ERROR', 'HYPERVISOR_UNAVAILABLE'];
const NETWORK_REASONS: readonly VmReason[] = ['NETWORK_ERROR'];
const STORAGE_REASONS: readonly VmReason[] = ['STORAGE_UNAVAILABLE', 'IO_ERROR', 'DISK_FULL'];

const IMAGE = { name: 'micro', virtualSizeBytes: 1 << 20, readyMarker: 'factory: guest ready' };
const DISK_MIB = 1_000_000;
const EXECUTOR_SETTINGS = {
  powerOnsMax: 4,
  powerOff: { graceMs: 20_000, pressAgainMs: 2_000 },
  idleExitMs: 600_000,
  orphanSearchMs: 120_000,
};

/** One machine of the cluster: its guests, its agent, and the executors that the agent starts. */
export class SimHost {
  readonly hostName: string;
  readonly origin: string;
  readonly shape: Shape;
  readonly machine: SimulatedHost;
  readonly processes: InProcessHost;
  readonly agent: Agent;
  /** Copies of images, by version. */
  readonly images = new Map<string, ImagePresence>();
  readonly #world: SimContext;
  readonly #random: Random;
  readonly #portRandom: Random;

  constructor(world: SimContext, index: number, shape: Shape, masterUrl: string) {
    const { clock, network, logger } = world;
    const ip = `10.1.${index >> 8}.${index & 0xff}`;
    this.#world = world;
    this.shape = shape;
    this.hostName = `host-${index}`;
    this.origin = `http://${ip}:5051`;
    this.#random = seededRandom(`${world.seed}/${this.hostName}`);
    this.#portRandom = seededRandom(`${world.seed}/${this.hostName}/ports`);
    const random = this.#random;
    const tunnel = world.isWhole ? { tunnelAddress: ip } : {};
    this.machine = new SimulatedHost({ clock, random, images: [IMAGE], ...tunnel });
    this.processes = createInProcessHost((request, pid) => this.#startExecutor(request, pid));
    this.agent = createAgent({
      ...{ clock, random, logger },
      transport: network.transport(this.origin),
      checkpoint: createMemoryDisk().open(),
      containerizer: this.processes.createContainerizer(),
      masters: [masterUrl],
      address: { hostname: this.hostName, ip, port: 5051 },
      resources: parseResources(
        `cpus:${shape.vcpus};mem:${shape.memoryMiB};disk:${DISK_MIB};${world.offers?.resources ?? ''}`,
      ),
      attributes: parseAttributes(world.offers?.attributes ?? ''),
      settings: { workDir: '/work', switchUser: false },
    });
  }

  async start(): Promise<void> {
    await this.#world.network.attach(this.origin, this.agent.app);
    await this.agent.start();
  }

  /** SIGKILL for the executor; guests run on. */
  killExecutors(): void {
    for (const pid of [...this.processes.running.keys()]) this.processes.kill(pid);
  }

  /** All that is here in the name of any VM. */
  inventory(): HostInventory {
    const { domains, folders, leases, consoles, network } = this.machine;
    return {
      hostName: this.hostName,
      resources: {
        domains: [...domains.keys()],
        folders: [...folders.keys()],
        leases: [...leases.keys()],
        consoles: [...consoles.keys()],
        cards: network.cards().map(({ vmId }) => vmId),
      },
    };
  }

  /** How often a guest was powered on. */
  bootsOf(vmId: VmId): number {
    return this.machine.domains.get(vmId)?.life ?? 0;
  }

  #startExecutor(request: LaunchRequest, pid: number): InProcessExecutor {
    const { clock, network, logger } = this.#world;
    const life = new SimulatedProcess(clock, network, `${this.origin}/executor-${pid}`);
    const hypervisor = createSimulatedHypervisor(this.machine);
    const storage = createMemoryStorage(this.machine);
    const ports = { clock: life.clock, random: this.#random, logger };
    const environment = readExecutorEnvironment(request.environment);
    const executor = createVmExecutor({
      ...ports,
      link: createMesosLink({ ...ports, transport: life.transport, environment }),
      hypervisor: life.guard(this.#faulty(hypervisor, HYPERVISOR_REASONS)),
      network: life.guard(this.#faulty(this.machine.network, NETWORK_REASONS)),
      storage: life.guard(this.#faulty(storage, STORAGE_REASONS)),
      images: life.guard(createMemoryPublisher(this.machine)),
      hardware: life.guard(
        createHostHardware({ reader: this.machine.hardware, grants: this.machine.hardware }),
      ),
      ...(this.#world.isWhole ? { hostImages: createSimulatedImages(ports, this.images) } : {}),
      settings: EXECUTOR_SETTINGS,
    });
    const run = async (): Promise<number> => {
      await executor.start();
      await executor.ended;
      await executor.close();
      return 0;
    };
    const kill = (): void => {
      life.kill();
      // The machine forgets whom it told of events.
      void hypervisor.close();
    };
    const crash = (error: unknown): number => {
      logger.error({ err: error }, 'an executor gave up');
      kill();
      return 1;
    };
    return { exited: run().catch(crash), kill };
  }

  #faulty<T extends object>(port: T, reasons: readonly VmReason[]): T {
    const { clock, portFaults } = this.#world;
    const { seen } = portFaults;
    const random = this.#portRandom;
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    return faulty(port, {
      ...{ clock, reasons, random, rate: () => portFaults.rate },
      onFault: (method: string, kind: FaultKind) => {
        count(method);
        count(kind);
      },
    });
  }
}
