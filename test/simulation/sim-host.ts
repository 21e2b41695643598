import type { Shape, VmId } from '@factory/contracts';
import { type Random } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import {
  createMemoryStorage,
  createMesosLink,
  createSimulatedHypervisor,
  createVmExecutor,
  SimulatedHost,
} from '@factory/vm-executor';
import {
  createAgent,
  createInProcessHost,
  createMemoryDisk,
  type InProcessExecutor,
  type InProcessHost,
  type LaunchRequest,
} from 'mesos-core/agent';
import { readExecutorEnvironment } from 'mesos-core/client';
import { parseResources } from 'mesos-core/protocol';
import { type Main, Part, type World } from './part.ts';
import { SimulatedProcess } from './process.ts';

const IMAGE = { name: 'micro', virtualSizeBytes: 1 << 20, readyMarker: 'factory: guest ready' };
const DISK_MIB = 1_000_000;
const AGENT_PORT = 5051;
const EXECUTOR_SETTINGS = {
  powerOnsMax: 4,
  powerOff: { graceMs: 20_000, pressAgainMs: 2_000 },
  idleExitMs: 600_000,
  orphanSearchMs: 120_000,
};

export interface SimHostOptions {
  readonly hostName: string;
  readonly ip: string;
  readonly shape: Shape;
  readonly masterUrl: string;
}

/** One machine of a cluster: its guests, its agent, and the executors that the agent starts. */
export class SimHost {
  readonly hostName: string;
  readonly shape: Shape;
  readonly machine: SimulatedHost;
  readonly processes: InProcessHost;
  readonly agent: Part<void>;
  readonly #world: World;
  readonly #options: SimHostOptions;
  readonly #random: Random;
  readonly #disk = createMemoryDisk();

  constructor(world: World, options: SimHostOptions) {
    this.#world = world;
    this.#options = options;
    this.shape = options.shape;
    this.hostName = options.hostName;
    this.#random = seededRandom(`${world.seed}/${this.hostName}`);
    const { clock } = world;
    this.machine = new SimulatedHost({ clock, random: this.#random, images: [IMAGE] });
    this.processes = createInProcessHost((request, pid) => this.#startExecutor(request, pid));
    this.agent = new Part(world, `http://${options.ip}:${AGENT_PORT}`, this.#agent);
  }

  /** SIGKILL for the executor; guests run on. */
  killExecutors(): void {
    for (const pid of [...this.processes.running.keys()]) this.processes.kill(pid);
  }

  /** How often a guest was powered on. */
  bootsOf(vmId: VmId): number {
    return this.machine.domains.get(vmId)?.life ?? 0;
  }

  readonly #agent: Main<void> = async (life, listen) => {
    const { hostName, ip, shape, masterUrl } = this.#options;
    const { clock, transport } = life;
    const agent = createAgent({
      ...{ clock, transport, random: this.#random, logger: this.#world.logger },
      checkpoint: life.guard(this.#disk.open()),
      launcher: life.guard(this.processes.createLauncher()),
      masters: [masterUrl],
      address: { hostname: hostName, ip, port: AGENT_PORT },
      resources: parseResources(`cpus:${shape.vcpus};mem:${shape.memoryMiB};disk:${DISK_MIB}`),
      attributes: [],
      settings: { workDir: '/work', switchUser: false },
      onFatal: (error) => life.isAlive && this.#world.onFatal(`agent ${hostName}: ${error}`),
    });
    await listen(agent.app);
    await agent.start();
  };

  #startExecutor(request: LaunchRequest, pid: number): InProcessExecutor {
    const { clock, network, logger } = this.#world;
    const life = new SimulatedProcess(clock, network, `${this.agent.origin}/executor-${pid}`);
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
