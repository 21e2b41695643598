import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { divideAddresses, parseExternalAddresses } from '@factory/contracts';
import type { Layout } from './layout.ts';
import { isFree, PortBook } from './ports.ts';
import {
  type AgentPlan,
  type ClusterPlan,
  type FactoryPlan,
  type HostResources,
  nameAmong,
  type UpOptions,
} from './process-plan.ts';

/**
 * Virtual cpus that one core carries. Guests of a render farm are busy, guests of a demo idle; this
 * is a machine for trying things out, where refusing to start is worse than sharing.
 */
const VCPUS_PER_CORE = 32;
/** Left to the host itself and the factory's own processes. */
const HOST_MEMORY_RESERVE_MIB = 3 * 1024;
const HOST_DISK_RESERVE_MIB = 4 * 1024;
const MIB = 1024 * 1024;
/** Nothing of its machines is real: they take no more than a record each. */
const SIMULATED_HOST: HostResources = {
  ...{ cpus: 4_096, memoryMiB: 8 * 1024 * 1024, diskMiB: 64 * 1024 * 1024 },
};

/** The port that was asked for is taken. */
export class PortTakenError extends Error {
  readonly code = 'FACTORY_ERR_PORT_TAKEN';
  constructor(port: number) {
    super(`Port ${port} is in use by another program. Choose another one: ./factory up --port N`);
    this.name = 'PortTakenError';
  }
}

/** Everything decided for a start: ports and what the hosts offer. */
export async function planFactory(
  layout: Layout,
  options: UpOptions,
  port: number,
): Promise<FactoryPlan> {
  if (!(await isFree(port))) throw new PortTakenError(port);
  const book = await PortBook.open(layout);
  const gatewayPorts = [book.claim('api-gateway', port)];
  const apiServerPorts = [await book.portFor('api-server', port + 1)];
  let wished = port + 2;
  const addTo = async (ports: number[], name: string, count = 1): Promise<void> => {
    while (ports.length < count) {
      ports.push(await book.portFor(nameAmong(name, ports.length), wished));
      wished += 1;
    }
  };
  await addTo(gatewayPorts, 'api-gateway', options.gateways);
  await addTo(apiServerPorts, 'api-server', options.apiServers);
  const clusters: ClusterPlan[] = [];
  for (let index = 0; index < options.clusters; index += 1) {
    clusters.push(await planCluster(book, index, options.agents));
  }
  await book.save();
  const resourcesPerAgent =
    options.hypervisor === 'simulated'
      ? SIMULATED_HOST
      : await shareOfMachine(layout, options.clusters * options.agents);
  const withAddresses = divideExternals(clusters, options.externalAddresses);
  const ports = { gatewayPorts, apiServerPorts };
  return { layout, options, ...ports, clusters: withAddresses, resourcesPerAgent };
}

/** Each agent gets a part of them, as no two may give out the same. */
function divideExternals(
  clusters: readonly ClusterPlan[],
  text: string | undefined,
): readonly ClusterPlan[] {
  if (text === undefined) return clusters;
  const agentCount = clusters.reduce((sum, { agents }) => sum + agents.length, 0);
  const parts = divideAddresses(parseExternalAddresses(text), agentCount);
  let next = 0;
  const withPart = (agent: AgentPlan): AgentPlan => {
    const externalAddresses = parts[next];
    next += 1;
    return { ...agent, externalAddresses };
  };
  return clusters.map((cluster) => ({ ...cluster, agents: cluster.agents.map(withPart) }));
}

async function planCluster(book: PortBook, index: number, agents: number): Promise<ClusterPlan> {
  const name = `cluster-${index + 1}`;
  const base = 5_050 + index * 100;
  const masterPort = await book.portFor(`${name}/mesos-master`, base);
  const vmSchedulerPort = await book.portFor(`${name}/vm-scheduler`, base + 90);
  const clusterServerPort = await book.portFor(`${name}/cluster-server`, base + 91);
  const planned: { name: string; port: number }[] = [];
  for (let number = 1; number <= agents; number += 1) {
    const agent = `${name}-agent-${number}`;
    planned.push({ name: agent, port: await book.portFor(agent, base + number) });
  }
  return { name, masterPort, vmSchedulerPort, clusterServerPort, agents: planned };
}

/** What each agent offers: this machine, divided evenly. */
async function shareOfMachine(layout: Layout, agents: number): Promise<HostResources> {
  const { bavail, bsize } = await statfs(layout.data);
  const memoryMiB = Math.floor(totalmem() / MIB) - HOST_MEMORY_RESERVE_MIB;
  const diskMiB = Math.floor((bavail * bsize) / MIB) - HOST_DISK_RESERVE_MIB;
  return {
    cpus: Math.max(1, Math.floor((availableParallelism() * VCPUS_PER_CORE) / agents)),
    memoryMiB: Math.max(512, Math.floor(memoryMiB / agents)),
    diskMiB: Math.max(1024, Math.floor(diskMiB / agents)),
  };
}
