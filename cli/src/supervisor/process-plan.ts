import { join } from 'node:path';
import { EXTERNAL_ADDRESSES_ATTRIBUTE } from '@factory/contracts';
import { offeredResources } from './agent-offers.ts';
import { clusterDirectory, hostDirectory, type Layout } from './layout.ts';
import type { SharedStorage } from './shared-storage.ts';

export type HypervisorKind = 'libvirt' | 'simulated';

/** What `factory up` was asked for. */
export interface UpOptions {
  readonly clusters: number;
  /** Per cluster. */
  readonly agents: number;
  readonly hypervisor: HypervisorKind;
  /** One each unless it says otherwise; several gateways need Redis. */
  readonly apiServers?: number | undefined;
  readonly gateways?: number | undefined;
  /** A plain folder unless it says otherwise. */
  readonly sharedStorage?: SharedStorage | undefined;
  /** What each agent has beside cores, memory and disk, in Mesos' form: `gpus:2;pinned_cpus:8`. */
  readonly agentResources?: string | undefined;
  /** What each agent says of its host, in Mesos' form: `rack:r1;gpu_model:A100`. */
  readonly agentAttributes?: string | undefined;
  /** Of this machine: `192.0.2.16/28`. */
  readonly externalAddresses?: string | undefined;
}

/** What one agent's host offers to Mesos. */
export interface HostResources {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

export interface AgentPlan {
  readonly name: string;
  readonly port: number;
  /** Its part of this machine's external addresses, as its attribute has them. */
  readonly externalAddresses?: string | undefined;
}

export interface ClusterPlan {
  readonly name: string;
  readonly masterPort: number;
  readonly vmSchedulerPort: number;
  readonly clusterServerPort: number;
  readonly agents: readonly AgentPlan[];
}

/** All that has to be decided before the first process starts. */
export interface FactoryPlan {
  readonly layout: Layout;
  readonly options: UpOptions;
  /** Of each gateway and each api-server; at least one. */
  readonly gatewayPorts: readonly number[];
  readonly apiServerPorts: readonly number[];
  readonly clusters: readonly ClusterPlan[];
  readonly resourcesPerAgent: HostResources;
}

/** One process of the factory: how it starts, and how it tells that it is ready. */
export interface ProcessSpec {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly readyUrl: string;
  /** Needs what the bootstrap makes: its enrolment token. */
  readonly afterBootstrap: boolean;
}

/** The file that holds a secret; processes get its path, never the secret itself. */
export function secretFile(layout: Layout, name: string): string {
  return join(layout.secrets, name);
}

const LOOPBACK = '127.0.0.1';

/** The processes of a plan, in the order in which they are stopped. Pure. */
export function processSpecs(plan: FactoryPlan): readonly ProcessSpec[] {
  return [
    ...plan.gatewayPorts.map((port, index) => gatewaySpec(plan, port, index)),
    ...plan.apiServerPorts.map((port, index) => apiServerSpec(plan, port, index)),
    ...plan.clusters.flatMap((cluster) => clusterSpecs(plan, cluster)),
  ];
}

/** The name of one of several processes that do the same: `api-server`, `api-server-2`. Pure. */
export function nameAmong(name: string, index: number): string {
  return index === 0 ? name : `${name}-${index + 1}`;
}

function gatewaySpec(plan: FactoryPlan, port: number, index: number): ProcessSpec {
  const { layout, gatewayPorts, apiServerPorts } = plan;
  return {
    name: nameAmong('api-gateway', index),
    script: 'services/api-gateway/src/main.ts',
    args: [],
    env: {
      FACTORY_GATEWAY_PORT: String(port),
      FACTORY_GATEWAYS: String(gatewayPorts.length),
      FACTORY_API_SERVER_URL: apiServerPorts.map(urlOf).join(','),
      FACTORY_INTERNAL_TOKEN_FILE: secretFile(layout, 'internal-token'),
    },
    readyUrl: `${urlOf(port)}/health/ready`,
    afterBootstrap: false,
  };
}

function apiServerSpec({ layout }: FactoryPlan, port: number, index: number): ProcessSpec {
  return {
    name: nameAmong('api-server', index),
    script: 'services/api-server/src/main.ts',
    args: [],
    env: {
      FACTORY_API_PORT: String(port),
      DATABASE_URL_FILE: secretFile(layout, 'api-database-url'),
      FACTORY_INTERNAL_TOKEN_FILE: secretFile(layout, 'internal-token'),
      FACTORY_SECRET_KEY_FILE: secretFile(layout, 'secret-key'),
      FACTORY_SUBNET_CIDR: subnetOf(layout.instance),
      FACTORY_IMAGE_STORE_DIR: join(layout.data, 'image-store'),
    },
    readyUrl: `${urlOf(port)}/health/ready`,
    afterBootstrap: false,
  };
}

/**
 * A /16 of its own for each factory on a machine, out of 10.64.0.0/10, so that people who look at
 * several at once can tell their machines apart. Pure, so that it stays the same across starts.
 */
export function subnetOf(instance: string): string {
  return `10.${64 + (Number.parseInt(instance, 16) % 64)}.0.0/16`;
}

function clusterSpecs(plan: FactoryPlan, cluster: ClusterPlan): readonly ProcessSpec[] {
  const { layout } = plan;
  const directory = clusterDirectory(layout, cluster.name);
  const databaseUrlFile = secretFile(layout, `${cluster.name}-database-url`);
  const master = urlOf(cluster.masterPort);
  const vmScheduler = urlOf(cluster.vmSchedulerPort);
  const clusterServer: ProcessSpec = {
    name: `${cluster.name}/cluster-server`,
    script: 'services/cluster-server/src/main.ts',
    args: [],
    env: {
      FACTORY_CLUSTER_NAME: cluster.name,
      FACTORY_CLUSTER_SERVER_PORT: String(cluster.clusterServerPort),
      FACTORY_CLUSTER_DATABASE_URL_FILE: databaseUrlFile,
      FACTORY_LINK_URL: plan.gatewayPorts.map(urlOf).join(','),
      FACTORY_ENROLMENT_TOKEN_FILE: secretFile(layout, `${cluster.name}-enrolment-token`),
      FACTORY_MESOS_MASTERS: master,
      FACTORY_VM_SCHEDULER_URL: vmScheduler,
      FACTORY_IMAGE_DIR: layout.images,
      FACTORY_VOLUME_DIR: layout.volumes,
    },
    readyUrl: `${urlOf(cluster.clusterServerPort)}/health/ready`,
    afterBootstrap: true,
  };
  const scheduler: ProcessSpec = {
    name: `${cluster.name}/vm-scheduler`,
    script: 'services/vm-scheduler/src/main.ts',
    args: [],
    env: {
      FACTORY_VM_SCHEDULER_PORT: String(cluster.vmSchedulerPort),
      FACTORY_CLUSTER_DATABASE_URL_FILE: databaseUrlFile,
      FACTORY_CLUSTER_SECRET_KEY_FILE: secretFile(layout, `${cluster.name}-secret-key`),
      FACTORY_MESOS_MASTERS: master,
      FACTORY_VM_EXECUTOR_COMMAND: executorCommand(layout),
    },
    readyUrl: `${vmScheduler}/health/ready`,
    afterBootstrap: false,
  };
  const mesosMaster: ProcessSpec = {
    name: `${cluster.name}/mesos-master`,
    script: 'mesos-core/src/master/main.ts',
    args: [
      `--ip=${LOOPBACK}`,
      `--port=${cluster.masterPort}`,
      `--hostname=${LOOPBACK}`,
      `--work_dir=${join(directory, 'master')}`,
      `--cluster=${cluster.name}`,
    ],
    env: {},
    readyUrl: `${master}/health/ready`,
    afterBootstrap: false,
  };
  const agents = cluster.agents.map((agent) => agentSpec(plan, cluster, agent));
  return [clusterServer, scheduler, ...agents, mesosMaster];
}

function agentSpec(plan: FactoryPlan, cluster: ClusterPlan, agent: AgentPlan): ProcessSpec {
  const { layout, options, resourcesPerAgent } = plan;
  const { agentResources = '', agentAttributes = '' } = options;
  const attributes = [
    ...(agentAttributes === '' ? [] : [agentAttributes]),
    ...(agent.externalAddresses
      ? [`${EXTERNAL_ADDRESSES_ATTRIBUTE}:${agent.externalAddresses}`]
      : []),
  ];
  const executorEnvironment = {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    FACTORY_INSTANCE: layout.instance,
    FACTORY_HOST_NAME: agent.name,
    FACTORY_HOST_DIR: hostDirectory(layout, cluster.name, agent.name),
    FACTORY_IMAGE_DIR: layout.images,
    FACTORY_VOLUME_DIR: layout.volumes,
    FACTORY_HYPERVISOR: options.hypervisor,
    FACTORY_CLUSTER_SECRET_KEY_FILE: secretFile(layout, `${cluster.name}-secret-key`),
    ...given('FACTORY_WINDOWS_DRIVERS'),
    ...given('FACTORY_POWER_ONS_MAX'),
    FACTORY_LOG_LEVEL: process.env.FACTORY_LOG_LEVEL ?? 'info',
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(layout.data, 'compile-cache'),
  };
  return {
    name: `${cluster.name}/${agent.name}`,
    script: 'mesos-core/src/agent/main.ts',
    args: [
      `--master=${urlOf(cluster.masterPort)}`,
      `--ip=${LOOPBACK}`,
      `--port=${agent.port}`,
      `--hostname=${agent.name}`,
      `--work_dir=${join(clusterDirectory(layout, cluster.name), 'agents', agent.name)}`,
      `--resources=${offeredResources(resourcesPerAgent, agentResources)}`,
      ...(attributes.length === 0 ? [] : [`--attributes=${attributes.join(';')}`]),
      '--executor_reregistration_timeout=15secs',
      `--executor_environment_variables=${JSON.stringify(executorEnvironment)}`,
    ],
    env: {},
    readyUrl: `${urlOf(agent.port)}/health/ready`,
    afterBootstrap: false,
  };
}

/** A setting of this process that a host's executor is to have, too. */
function given(name: string): Readonly<Record<string, string>> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}

/** The same Node and the same checkout as ours; the agent adds the environment. */
function executorCommand(layout: Layout): string {
  const script = join(layout.root, 'services/vm-executor/src/main.ts');
  const node = quoted(process.execPath);
  return `exec ${node} --disable-warning=ExperimentalWarning ${quoted(script)}`;
}

/** One word for a shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function urlOf(port: number): string {
  return `http://${LOOPBACK}:${port}`;
}
