import {
  type DesiredState,
  type ExecutorMessage,
  type HostAttribute,
  ID_PREFIXES,
  type OperationId,
  type OperationResult,
  type SchedulerMessage,
  type VmId,
  type VmObservation,
  type VmTaskData,
  VmTaskDataSchema,
  type VolumeId,
  type VolumeMount,
  vmTaskId,
} from '@factory/contracts';
import { type Logger, silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { Value } from 'typebox/value';
import { createVmExecutor, type VmExecutor } from './executor.ts';
import type { VmExecutorSettings } from './executor-options.ts';
import { createHostHardware } from './hardware/host-hardware.ts';
import type { DomainPlan } from './hypervisor/port.ts';
import { createSimulatedHypervisor } from './hypervisor/simulated.ts';
import { SimulatedHost, type SimulatedHostOptions } from './hypervisor/simulated-host.ts';
import { createMemoryPublisher } from './images/publisher-memory.ts';
import type { ExecutorLink, LinkHandlers, TaskState } from './link.ts';
import { createMemoryStorage } from './storage/memory.ts';
import type { AddressLease } from './storage/port.ts';
import { Gate, gated } from './testing-ports.ts';
import { type FaultPoints, noFaults } from './vm/procedure.ts';
import { createSimulatedVolumes } from './volumes/simulated.ts';

/** The line by which guests of the test image say that they are up. */
export const READY_MARKER = 'factory: guest ready';

/** A VM's id, different for each number. */
export function testVmId(number: number): VmId {
  const digits = number.toString(16).padStart(12, '0');
  return `${ID_PREFIXES.vm}_0199000000007000a000${digits}` as VmId;
}

/** An operation's id, different for each number. */
export function testOperationId(number: number): OperationId {
  const digits = number.toString(16).padStart(12, '0');
  return `${ID_PREFIXES.operation}_0199000000007000a000${digits}` as OperationId;
}

/** A disk on shared storage, for a VM's spec. */
export const TEST_VOLUME: VolumeMount = {
  volumeId: `${ID_PREFIXES.volume}_0199000000007000a000000000000001` as VolumeId,
  kind: 'block',
  tag: 'data',
  readOnly: false,
  leaseEpoch: 1,
};

/** A valid task of a small VM. */
export function testTask(number: number, changes: Partial<VmTaskData> = {}): VmTaskData {
  const hex = number.toString(16).padStart(2, '0');
  const data = {
    version: 1,
    vmId: testVmId(number),
    projectId: 'prj_0199000000007000a000000000000001',
    assignmentEpoch: 1,
    generation: 1,
    desired: 'running',
    spec: {
      hostname: `node-${number}`,
      image: { name: 'micro' },
      vcpus: 1,
      memoryMiB: 128,
      diskGiB: 1,
      network: {
        subnetId: 'sub_0199000000007000a000000000000001',
        cidr: '10.99.0.0/16',
        gatewayAddress: '10.99.0.1',
        ipAddress: `10.99.0.${number + 1}`,
        macAddress: `52:54:00:00:00:${hex}`,
      },
      sshPublicKeys: [],
      userData: '',
    },
    ...changes,
  };
  return Value.Parse(VmTaskDataSchema, data);
}

/** The other end of an executor: what an agent and a scheduler hear, and can say. */
export class RecordingLink implements ExecutorLink {
  readonly updates: { readonly taskId: string; readonly state: TaskState; message: string }[] = [];
  readonly messages: ExecutorMessage[] = [];
  readonly #attributes: readonly HostAttribute[];
  #handlers: LinkHandlers | undefined;

  constructor(attributes: readonly HostAttribute[] = []) {
    this.#attributes = attributes;
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    handlers.onSubscribed({ hostName: 'host-1', attributes: this.#attributes });
  }

  updateTask(taskId: string, state: TaskState, message: string): void {
    this.updates.push({ taskId, state, message });
  }

  async sendMessage(data: Uint8Array): Promise<void> {
    this.messages.push(JSON.parse(Buffer.from(data).toString()));
  }

  async close(): Promise<void> {
    this.#handlers = undefined;
  }

  launch(data: unknown, taskId: string): void {
    this.#handlers?.onLaunch([{ taskId, data: Buffer.from(JSON.stringify(data)) }]);
  }

  kill(taskId: string): void {
    this.#handlers?.onKill(taskId);
  }

  shutDown(): void {
    this.#handlers?.onShutdown();
  }

  say(message: SchedulerMessage): void {
    this.#handlers?.onMessage(Buffer.from(JSON.stringify(message)));
  }

  /** All that was said of a VM, oldest first. */
  observations(vmId: VmId): readonly VmObservation[] {
    return this.messages.flatMap(({ vms }) => vms.filter((each) => each.vmId === vmId));
  }

  /** The newest word on a VM. */
  latest(vmId: VmId): VmObservation | undefined {
    return this.observations(vmId).reduce<VmObservation | undefined>(
      (best, each) => (best === undefined || each.seq >= best.seq ? each : best),
      undefined,
    );
  }

  /** The states a VM was reported in, repetitions left out. */
  states(vmId: VmId): readonly string[] {
    const all = this.observations(vmId).map(({ state }) => state);
    return all.filter((state, index) => state !== all[index - 1]);
  }

  result(operationId: OperationId): OperationResult | undefined {
    return this.messages
      .flatMap(({ operations }) => operations)
      .find((each) => each.operationId === operationId);
  }

  updatesOf(taskId: string): readonly TaskState[] {
    return this.updates.filter((each) => each.taskId === taskId).map(({ state }) => state);
  }
}

const TEST_SETTINGS: VmExecutorSettings = {
  powerOnsMax: 2,
  powerOff: { graceMs: 20_000, pressAgainMs: 2_000 },
  idleExitMs: 600_000,
  orphanSearchMs: 60_000,
};

interface TestHostOptions extends Partial<SimulatedHostOptions> {
  readonly seed?: number;
  /** Of the agent. */
  readonly attributes?: readonly HostAttribute[];
}

/** A simulated host on virtual time, with one executor at a time on it. */
export class TestHost {
  readonly clock = new VirtualClock();
  readonly host: SimulatedHost;
  link: RecordingLink;
  executor: VmExecutor;
  /** Between the present executor and its hypervisor and storage. */
  gate = new Gate();
  /** Where the executors made from now on are ended. */
  faults: FaultPoints = noFaults;
  /** Errors that were logged. */
  readonly errors: unknown[] = [];
  readonly #seed: number;
  readonly #attributes: readonly HostAttribute[];

  constructor(options: TestHostOptions = {}) {
    this.#seed = options.seed ?? 1;
    this.#attributes = options.attributes ?? [];
    this.link = new RecordingLink(this.#attributes);
    this.host = new SimulatedHost({
      clock: this.clock,
      random: seededRandom(this.#seed),
      images: [{ name: 'micro', virtualSizeBytes: 1 << 20, readyMarker: READY_MARKER }],
      ...options,
    });
    this.executor = this.#newExecutor();
  }

  /** A host whose executor was given the VM of `testTask(1, changes)`, and has it running. */
  static async withRunningVm(
    changes: Partial<VmTaskData> = {},
    options: TestHostOptions = {},
  ): Promise<TestHost> {
    const test = new TestHost(options);
    await test.start();
    test.launch(testTask(1, changes));
    await test.run(10_000);
    return test;
  }

  async start(): Promise<void> {
    await this.executor.start();
  }

  /** Ends the executor and puts another in its place, which knows only what is on the host. */
  async restartExecutor(): Promise<void> {
    const closing = this.executor.close();
    await this.clock.run(6_000);
    await closing;
    await this.#nextExecutor();
  }

  /** SIGKILL: nothing more comes from it; what it had begun at the host goes on. */
  async killExecutor(): Promise<void> {
    this.gate.shut();
    await this.#nextExecutor();
  }

  async #nextExecutor(): Promise<void> {
    this.gate = new Gate();
    this.link = new RecordingLink(this.#attributes);
    this.executor = this.#newExecutor();
    await this.executor.start();
  }

  launch(data: VmTaskData, attempt = 1): string {
    const taskId = vmTaskId(data.vmId, attempt);
    this.link.launch(data, taskId);
    return taskId;
  }

  wish(vmId: VmId, generation: number, desired: DesiredState): void {
    this.link.say({ type: 'setDesired', changes: [{ vmId, generation, desired }] });
  }

  async run(durationMs: number): Promise<void> {
    await this.clock.run(durationMs);
  }

  #logger(): Logger {
    const collect = (fields: object): void => {
      if ('err' in fields) this.errors.push(fields.err);
    };
    return { ...silentLogger, warn: collect, error: collect, child: () => this.#logger() };
  }

  #newExecutor(): VmExecutor {
    return createVmExecutor({
      clock: this.clock,
      random: seededRandom(this.#seed + 1),
      logger: this.#logger(),
      link: this.link,
      hypervisor: gated(createSimulatedHypervisor(this.host), this.gate),
      network: gated(this.host.network, this.gate),
      storage: gated(createMemoryStorage(this.host), this.gate),
      hardware: gated(
        createHostHardware({ reader: this.host.hardware, grants: this.host.hardware }),
        this.gate,
      ),
      volumes: gated(createSimulatedVolumes(this.host.sharedStorage, this.clock), this.gate),
      images: gated(createMemoryPublisher(this.host), this.gate),
      settings: TEST_SETTINGS,
      faults: { at: (...where) => this.faults.at(...where) },
    });
  }
}

/** The address of a VM of {@link testTask}. */
export function testLease(number: number): AddressLease {
  const { vmId, spec } = testTask(number);
  return { vmId, hostname: spec.hostname, ...spec.network };
}

/** The domain of a VM of {@link testTask}. */
export function testPlan(number: number): DomainPlan {
  const { vmId, generation, spec } = testTask(number);
  return {
    vmId,
    generation,
    vcpus: spec.vcpus,
    memoryMiB: spec.memoryMiB,
    tapName: `fcttest${number}`,
    macAddress: spec.network.macAddress,
    diskPath: `/overlays/${vmId}/disk.qcow2`,
    seedPath: `/overlays/${vmId}/seed.iso`,
    consolePath: `/consoles/${vmId}.log`,
  };
}
