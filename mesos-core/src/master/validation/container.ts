import type { ContainerInfo, Volume, VolumeSource } from '../../protocol/index.ts';

/** What is wrong with a container, in Mesos' words, or `undefined`. */
export function containerProblem({ type, volumes, docker }: ContainerInfo): string | undefined {
  for (const volume of volumes ?? []) {
    const problem = volumeProblem(volume);
    if (problem !== undefined) return `Invalid volume: ${problem}`;
  }
  if (type !== 'DOCKER') return undefined;
  if (docker === undefined) return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo";
  const isNamed = (docker.parameters ?? []).some(({ key }) => key === 'name');
  return isNamed ? "Parameter in DockerInfo must not be 'name'" : undefined;
}

/** Whether the container says that it shares its parent's cgroups, or not; unset: `undefined`. */
export function sharesCgroups(container: ContainerInfo | undefined): boolean | undefined {
  return container?.linux_info?.share_cgroups;
}

function volumeProblem({ host_path, image, source }: Volume): string | undefined {
  const set = [host_path, image, source].filter((each) => each !== undefined);
  if (set.length !== 1) {
    return "Only one of them should be set: 'host_path', 'image' and 'source'";
  }
  return source && sourceProblem(source);
}

function sourceProblem(source: VolumeSource): string | undefined {
  const { docker_volume, host_path, sandbox_path, secret, csi_volume } = source;
  switch (source.type) {
    case 'DOCKER_VOLUME':
      return docker_volume === undefined ? unset('docker_volume', 'DOCKER_VOLUME') : undefined;
    case 'HOST_PATH':
      return host_path === undefined ? unset('host_path', 'HOST_PATH') : undefined;
    case 'SANDBOX_PATH':
      return sandbox_path === undefined ? unset('sandbox_path', 'SANDBOX_PATH') : undefined;
    case 'SECRET':
      return secret === undefined ? unset('secret', 'SECRET') : undefined;
    case 'CSI_VOLUME':
      if (csi_volume === undefined) return unset('csi_volume', 'CSI');
      return csi_volume.static_provisioning === undefined
        ? unset('csi_volume.static_provisioning', 'CSI')
        : undefined;
    case 'UNKNOWN':
    case undefined:
      return "'source.type' is unknown";
  }
}

function unset(field: string, kind: string): string {
  return `'source.${field}' is not set for ${kind} volume`;
}
