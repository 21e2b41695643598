import type { Shape, VmId } from '@factory/contracts';
import type { Clock, Logger, Random } from '@factory/runtime';
import { type SimulatedNetwork, seededRandom } from '@factory/runtime/simulated';
import {
  createMemoryStorage,
  createMesosLink,
  createSimulatedHypervisor,
  createVmExecutor,
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
import { parseResources } from 'mesos-core/protocol';
import { SimulatedProcess } from './process.ts';

/** What every part of one simulation is given. */
export interface World {
  readonly clock: Clock;
  readonly network: SimulatedNetwork;
  readonly logger: Logger;
  readonly seed: number | string;
}

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
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World, index: number, shape: Shape, masterUrl: string) {
    const { clock, network, logger } = world;
    const ip = `10.1.${index >> 8}.${index & 0xff}`;
    this.#world = world;
    this.shape = shape;
    this.hostName = `host-${index}`;
    this.origin = `http://${ip}:5051`;
    this.#random = seededRandom(`${world.seed}/${this.hostName}`);
    const random = this.#random;
    this.machine = new SimulatedHost({ clock, random, images: [IMAGE] });
    this.processes = createInProcessHost((request, pid) => this.#startExecutor(request, pid));
    this.agent = createAgent({
      ...{ clock, random, logger },
      transport: network.transport(this.origin),
      checkpoint: createMemoryDisk().open(),
      containerizer: this.processes.createContainerizer(),
      masters: [masterUrl],
      address: { hostname: this.hostName, ip, port: 5051 },
      resources: parseResources(`cpus:${shape.vcpus};mem:${shape.memoryMiB};disk:${DISK_MIB}`),
      attributes: [],
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

  /** How often a guest was powered on. */
  bootsOf(vmId: VmId): number {
    return this.machine.domains.get(vmId)?.life ?? 0;
  }

  #startExecutor(request: LaunchRequest, pid: number): InProcessExecutor {
    const { clock, network, logger } = this.#world;
    const life = new SimulatedProcess(clock, network, `${this.origin}/executor-${pid}`);
    const hypervisor = createSimulatedHypervisor(this.machine);
    const ports = { clock: life.clock, random: this.#random, logger };
    const environment = readExecutorEnvironment(request.environment);
    const executor = createVmExecutor({
      ...ports,
      link: createMesosLink({ ...ports, transport: life.transport, environment }),
      hypervisor: life.guard(hypervisor),
      storage: life.guard(createMemoryStorage(this.machine)),
      settings: EXECUTOR_SETTINGS,
    });
    const run = async (): Promise<number> => {
      await executor.start();
      await executor.ended;
      await executor.close();
      return 0;
    };
    return {
      exited: run(),
      kill: () => {
        life.kill();
        // The machine forgets whom it told of events.
        void hypervisor.close();
      },
    };
  }
}
