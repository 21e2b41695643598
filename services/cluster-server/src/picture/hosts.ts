import type { HostCapacity } from '@factory/contracts';
import type { MasterResponseGetAgents, Resource } from 'mesos-core/protocol';

/**
 * What each agent has, from the master's `GET_AGENTS`. What is offered at this moment is free: the
 * offers are back in a moment. Works on Apache Mesos as well. Pure.
 */
export function hostsOf(answer: MasterResponseGetAgents): readonly HostCapacity[] {
  return (answer.agents ?? []).map((agent) => {
    const total = sums(agent.total_resources ?? []);
    const allocated = sums(agent.allocated_resources ?? []);
    return {
      agentId: agent.agent_info.id?.value ?? '',
      hostName: agent.agent_info.hostname,
      active: agent.active && agent.deactivated !== true,
      totalVcpus: total.vcpus,
      totalMemoryMiB: total.memoryMiB,
      freeVcpus: Math.max(0, total.vcpus - allocated.vcpus),
      freeMemoryMiB: Math.max(0, total.memoryMiB - allocated.memoryMiB),
    };
  });
}

function sums(resources: readonly Resource[]): { vcpus: number; memoryMiB: number } {
  const sum = (name: string): number =>
    resources
      .filter((resource) => resource.name === name && resource.revocable === undefined)
      .reduce((total, resource) => total + (resource.scalar?.value ?? 0), 0);
  return { vcpus: sum('cpus'), memoryMiB: sum('mem') };
}
