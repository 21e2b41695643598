import type { VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import type { LiveDiskPort } from './live-disk.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** The disks of the guests of a simulated host that are on. */
export function createSimulatedLiveDisk(host: SimulatedHost): LiveDiskPort {
  const domainOn = async (vmId: VmId) => {
    await host.call();
    const domain = host.domains.get(vmId);
    if (domain?.on === true) return domain;
    throw new VmFailure('HYPERVISOR_ERROR', 'the domain is not on (simulated)', {
      isTransient: true,
    });
  };
  return {
    async snapshotLiveDisk(vmId, _diskPath, tag) {
      await domainOn(vmId);
      host.mayFail('making the snapshot');
      host.snapshotDisk(vmId, tag);
    },
    async deleteLiveSnapshot(vmId, _diskPath, tag) {
      await domainOn(vmId);
      host.folders.get(vmId)?.snapshots?.delete(tag);
    },
    async beginDiskCopy(vmId, toPath) {
      const domain = await domainOn(vmId);
      host.mayFail('copying the disk');
      const { life } = domain;
      const operationId = /image\.(\w+)\.live\.partial$/.exec(toPath)?.[1] ?? '';
      const folder = host.folders.get(vmId);
      if (folder === undefined) return;
      const content = folder.content ?? '';
      folder.liveCopies = new Map([...(folder.liveCopies ?? []), [operationId, content]]);
      domain.copy = { kind: 'running', percent: 50 };
      host.afterCopy(() => {
        if (domain.life !== life || domain.copy?.kind !== 'running') return;
        domain.copy = { kind: 'done' };
        host.changed(vmId);
      });
    },
    async diskCopy(vmId) {
      await host.call();
      return host.domains.get(vmId)?.copy ?? { kind: 'none' };
    },
    async endDiskCopy(vmId) {
      await host.call();
      const domain = host.domains.get(vmId);
      if (domain !== undefined) delete domain.copy;
    },
  };
}
