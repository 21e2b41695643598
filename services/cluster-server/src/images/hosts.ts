import type {
  AgentStage,
  HostCapacity,
  HostImage,
  HostImagesList,
  ImageStage,
} from '@factory/contracts';
import type { HostImages } from './lane.ts';

/** What hosts have, by version; agents that the master does not know have no name. Pure. */
export function hostImagesOf(
  agents: HostImagesList['agents'],
  hosts: readonly HostCapacity[],
): HostImages {
  const names = new Map(hosts.map(({ agentId, hostName }) => [agentId, hostName]));
  const byVersion = new Map<string, HostImage[]>();
  for (const { agentId, images } of agents) {
    const hostName = names.get(agentId);
    if (hostName === undefined) continue;
    for (const { version, percent } of images) {
      byVersion.set(version, [...(byVersion.get(version) ?? []), { hostName, percent }]);
    }
  }
  return byVersion;
}

/** The agents that are meant by hosts' names; null means all that are active. Pure. */
export function agentStagesOf(
  stages: readonly ImageStage[],
  hosts: readonly HostCapacity[],
): readonly AgentStage[] {
  const active = hosts.filter((host) => host.active);
  return stages.map(({ name, version, hostNames }) => ({
    name,
    version,
    agentIds: active
      .filter((host) => hostNames === null || hostNames.includes(host.hostName))
      .map(({ agentId }) => agentId),
  }));
}
