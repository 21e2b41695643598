import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  BatchId,
  DesiredState,
  ProjectId,
  SubnetId,
  VmAssignment,
  VmId,
  VmNetwork,
  VolumeId,
  VolumeMount,
} from '@factory/contracts';
import {
  createUndiciTransport,
  type HttpTransport,
  silentLogger,
  systemClock,
  systemRandom,
  waitFor,
} from '@factory/runtime';
import {
  createMemoryStore,
  createMesosFramework,
  createVmScheduler,
  type VmSchedulerService,
} from '@factory/vm-scheduler';
import { type Host, HUB_ADDRESS } from './host.ts';

const ROOT = join(import.meta.dirname, '../..');
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'] as const;
const MASTER_PORT = 5050;
export const MASTER = `http://${HUB_ADDRESS}:${MASTER_PORT}`;
const START_TIMEOUT_MS = 60_000;

/** A subnet of the test; all have one range. */
export interface TestSubnet {
  readonly vni: number;
  readonly egress: 'none' | 'nat';
}

/** A machine of the test. */
export interface TestVm {
  readonly name: string;
  readonly number: number;
  readonly host: Host;
  readonly subnet: TestSubnet;
  readonly ipAddress: string;
  /** Mounts the folder that such machines share, on `/shared`. */
  readonly hasFolder?: true;
  /** A script that the guest runs when it is up. */
  readonly userData: string;
}

/** A master, a scheduler and an agent on each host: one cluster. */
export class Cluster {
  readonly #hosts: readonly Host[];
  readonly #directory: string;
  readonly #images: string;
  readonly #volumes: ReadonlyMap<Host, string>;
  readonly #transport: HttpTransport = createUndiciTransport();
  readonly #children: ChildProcess[] = [];
  #scheduler: VmSchedulerService | undefined;

  /** `volumes`: where each host has them. */
  constructor(
    hosts: readonly Host[],
    directory: string,
    images: string,
    volumes: ReadonlyMap<Host, string>,
  ) {
    this.#hosts = hosts;
    this.#directory = directory;
    this.#images = images;
    this.#volumes = volumes;
  }

  async start(): Promise<void> {
    this.#startMaster();
    // They look for the master until it is there.
    for (const host of this.#hosts) this.#startAgent(host);
    await this.#answers(`${MASTER}/health`);
    for (const host of this.#hosts) await this.#answers(`http://${host.address}:5051/health/ready`);
    const framework = createMesosFramework({
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
      ...{ transport: this.#transport, masters: [MASTER], role: 'compute-factory' },
      principal: 'compute-factory',
      onFenced: (error) => {
        throw error;
      },
    });
    this.#scheduler = createVmScheduler({
      ...{ clock: systemClock, random: systemRandom, logger: silentLogger },
      ...{ framework, store: createMemoryStore(), role: 'compute-factory' },
      executorCommand: `exec ${NODE.join(' ')} ${join(ROOT, 'services/vm-executor/src/main.ts')}`,
    });
    await this.#scheduler.start();
  }

  /** Asks for machines; they come up by themselves. */
  async put(vms: readonly TestVm[]): Promise<void> {
    await this.#call('PUT', '/v1/vms', { vms: vms.map(assignmentOf) });
  }

  /** Wishes another state of machines, once; they come to it by themselves. */
  async want(vms: readonly TestVm[], desired: DesiredState): Promise<void> {
    const generation = desired === 'deleted' ? 3 : 2;
    const changes = vms.map((vm) => ({ vmId: vmIdOf(vm), generation, desired }));
    await this.#call('POST', '/v1/desired', { changes });
  }

  async delete(vms: readonly TestVm[]): Promise<void> {
    await this.want(vms, 'deleted');
    await waitFor(systemClock, 'the deletion', START_TIMEOUT_MS, () =>
      vms.every((vm) => this.phaseOf(vm) === 'deleted') ? true : undefined,
    );
  }

  phaseOf(vm: TestVm): string {
    const record = this.#scheduler?.state.vm(vmIdOf(vm));
    const state = record?.phase === 'hosted' ? record.observation?.state : record?.phase;
    const message = record?.message ?? (record?.phase === 'hosted' && record.observation?.message);
    return `${state}${message ? `: ${message}` : ''}`;
  }

  /** What the guest has written to its serial console. */
  async consoleOf({ host, ...vm }: TestVm): Promise<string> {
    const path = join(host.folder, 'factory/consoles', `${vmIdOf(vm)}.log`);
    return await readFile(path, 'latin1').catch(() => '');
  }

  async close(): Promise<void> {
    await this.#scheduler?.close();
    await this.#transport.close();
    for (const child of this.#children) child.kill('SIGTERM');
  }

  #startMaster(): void {
    const script = join(ROOT, 'mesos-core/src/master/main.ts');
    const [program, ...args] = [...NODE, script, `--ip=${HUB_ADDRESS}`, `--port=${MASTER_PORT}`];
    const more = [`--hostname=${HUB_ADDRESS}`, `--work_dir=${join(this.#directory, 'master')}`];
    const env = { ...process.env, FACTORY_LOG_LEVEL: 'warn' };
    const stdio = ['ignore', 'ignore', 'inherit'] as const;
    this.#children.push(spawn(program, [...args, ...more], { stdio: [...stdio], env }));
  }

  #startAgent(host: Host): void {
    const environment = {
      PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      FACTORY_INSTANCE: 'twohosts',
      FACTORY_HOST_DIR: join(host.folder, 'factory'),
      FACTORY_IMAGE_DIR: this.#images,
      FACTORY_VOLUME_DIR: this.#volumes.get(host) ?? '',
      FACTORY_VIRTUALISATION: 'tcg',
      FACTORY_LOG_LEVEL: process.env.FACTORY_LOG_LEVEL ?? 'warn',
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
    };
    host.spawn(
      'agent',
      [
        ...NODE,
        join(ROOT, 'mesos-core/src/agent/main.ts'),
        `--master=${HUB_ADDRESS}:${MASTER_PORT}`,
        ...[`--ip=${host.address}`, '--port=5051', `--hostname=${host.name}`],
        `--work_dir=${join(host.folder, 'agent')}`,
        '--resources=cpus:8;mem:4096;disk:20000',
        `--attributes=host:${host.name}`,
        `--executor_environment_variables=${JSON.stringify(environment)}`,
      ],
      { ...process.env, FACTORY_LOG_LEVEL: 'warn' },
    );
  }

  async #call(method: 'PUT' | 'POST', url: string, payload: object): Promise<void> {
    const response = await this.#scheduler?.app.inject({ method, url, payload });
    if (response === undefined || response.statusCode >= 300)
      throw new Error(`${method} ${url}: ${response?.body}`);
  }

  async #answers(url: string): Promise<void> {
    await waitFor(systemClock, url, START_TIMEOUT_MS, async () => {
      const request = { method: 'GET', url, timeoutMs: 2_000 } as const;
      const response = await this.#transport.request(request).catch(() => undefined);
      return response?.status === 200 ? true : undefined;
    });
  }
}

function vmIdOf({ number }: Pick<TestVm, 'number'>): VmId {
  return `vm_${String(number).padStart(32, '0')}` as VmId;
}

const FOLDER: VolumeMount = {
  volumeId: `vol_${'0'.repeat(32)}` as VolumeId,
  ...{ kind: 'directory', tag: 'shared', guestPath: '/shared', readOnly: false, leaseEpoch: 1 },
};

function assignmentOf(vm: TestVm): VmAssignment {
  const nic = String(vm.number).padStart(2, '0');
  const network: VmNetwork = {
    subnetId: `sub_${String(vm.subnet.vni).padStart(32, '0')}` as SubnetId,
    cidr: '10.80.0.0/16',
    gatewayAddress: '10.80.0.1',
    ipAddress: vm.ipAddress,
    macAddress: `52:54:00:00:00:${nic}`,
    vni: vm.subnet.vni,
    egress: vm.subnet.egress,
    dnsDomain: 'lab.internal',
  };
  return {
    vmId: vmIdOf(vm),
    batchId: `bat_${'0'.repeat(32)}` as BatchId,
    projectId: `prj_${'0'.repeat(32)}` as ProjectId,
    ...{ assignmentEpoch: 1, generation: 1, desired: 'running', timeline: {} },
    spec: {
      hostname: vm.name,
      image: { name: 'micro' },
      ...{ vcpus: 1, memoryMiB: 128, diskGiB: 1 },
      network,
      sshPublicKeys: [],
      userData: vm.userData,
      ...(vm.hasFolder === true ? { volumes: [FOLDER] } : {}),
      requirements: [{ name: 'host', op: 'eq', value: vm.host.name }],
    },
  };
}
