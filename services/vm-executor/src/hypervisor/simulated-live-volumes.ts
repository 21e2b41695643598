import type { VmId } from '@factory/contracts';
import { cannotAttach, isOff, type LiveVolumesPort, NOT_SHARED } from './live-volumes.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** The devices of the guests of a simulated host that are on. */
export function createSimulatedLiveVolumes(host: SimulatedHost): LiveVolumesPort {
  const domainOn = (vmId: VmId) => {
    const domain = host.domains.get(vmId);
    return domain?.on === true ? domain : undefined;
  };
  return {
    async pluggedPaths(vmId) {
      await host.call();
      const domain = domainOn(vmId);
      if (domain === undefined) return new Set();
      const { diskPath, seedPath } = domain.plan;
      return new Set([diskPath, seedPath, ...(domain.plugged ?? []).map(({ path }) => path)]);
    },
    async plugVolume(vmId, device) {
      await host.call();
      const domain = domainOn(vmId);
      if (domain === undefined) throw isOff();
      const plugged = domain.plugged ?? [];
      if (plugged.some(({ path }) => path === device.path)) return;
      const isFolder = (each: typeof device): boolean => 'tag' in each;
      if (isFolder(device) && !plugged.some(isFolder)) throw cannotAttach(NOT_SHARED);
      host.mayFail('plugging the volume in');
      domain.plugged = [...plugged, device];
    },
    async askToUnplug(vmId, path) {
      await host.call();
      const domain = domainOn(vmId);
      // One that is booting does not hear it.
      if (domain === undefined || !domain.hasBooted || host.holdsVolumes) return;
      domain.plugged = (domain.plugged ?? []).filter((each) => each.path !== path);
    },
    awaitDevices: () => host.call(),
  };
}
