import type { VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import { checkPlan } from './domain-xml/check.ts';
import type { DomainSeen, Hypervisor, HypervisorEvent } from './port.ts';
import { createSimulatedGuestAgent } from './simulated-guest-agent.ts';
import type { SimulatedHost } from './simulated-host.ts';
import { createSimulatedLiveDisk } from './simulated-live-disk.ts';
import { createSimulatedLiveVolumes } from './simulated-live-volumes.ts';

/** VGA's text mode. */
const SCREEN = { widthPx: 720, heightPx: 400 };

/** One executor's view of a simulated host. */
export function createSimulatedHypervisor(host: SimulatedHost): Hypervisor {
  let listener: ((event: HypervisorEvent) => void) | undefined;

  const see = (vmId: VmId): DomainSeen | undefined => {
    const domain = host.domains.get(vmId);
    if (domain === undefined) return undefined;
    if (domain.on && domain.hasDiskError) {
      return { vmId, power: { kind: 'on', hasDiskError: true }, detail: 'paused, simulated' };
    }
    if (domain.on && domain.isPaused) {
      return { vmId, power: { kind: 'on', isPaused: true }, detail: 'paused, simulated' };
    }
    if (domain.on) return { vmId, power: { kind: 'on' }, detail: 'running, simulated' };
    const { offCause: cause, isSaved } = domain;
    const power = { kind: 'off', cause, ...(isSaved ? { isSaved } : {}) } as const;
    return { vmId, power, detail: `off, simulated ${cause}` };
  };

  return {
    ...createSimulatedGuestAgent(host),
    ...createSimulatedLiveDisk(host),
    ...createSimulatedLiveVolumes(host),
    start(given) {
      listener = given;
      host.hypervisorListeners.add(given);
      if (host.isReachable) given({ kind: 'connected' });
    },
    // All that is on a simulated host belongs to its one agent.
    identify: () => undefined,
    async listDomains() {
      await host.call();
      return [...host.domains.keys()].flatMap((vmId) => see(vmId) ?? []);
    },
    async findDomain(vmId) {
      await host.call();
      return see(vmId);
    },
    async define(plan) {
      checkPlan(plan);
      await host.call();
      host.mayFail('defining the domain');
      const before = host.domains.get(plan.vmId);
      const fresh = { on: false, offCause: 'unknown', life: 0, hasBooted: false } as const;
      host.domains.set(plan.vmId, { ...(before ?? fresh), plan });
    },
    async powerOn(vmId) {
      await host.call();
      const domain = host.domains.get(vmId);
      if (domain === undefined) throw new VmFailure('HYPERVISOR_ERROR', `no domain for ${vmId}`);
      if (domain.on) return;
      for (const { tapName } of [domain.plan, ...(domain.plan.nics ?? [])]) {
        if (!host.network.hasTap(tapName)) {
          const message = `there is no device ${tapName}`;
          throw new VmFailure('NETWORK_ERROR', message, { isTransient: true });
        }
      }
      if (host.folders.get(vmId)?.hasDisk !== true) {
        throw new VmFailure('STORAGE_UNAVAILABLE', `cannot access ${domain.plan.diskPath}`);
      }
      await host.call('powerOnMs');
      host.mayFail('starting the domain');
      host.powerOn(vmId);
    },
    async pressPowerButton(vmId) {
      await host.call();
      host.pressPowerButton(vmId);
    },
    async suspend(vmId) {
      await host.call();
      const { on = false, plan } = host.domains.get(vmId) ?? {};
      const isShared = plan?.filesystems?.some(({ transport }) => transport === 'virtiofs');
      if (on && (isShared || (plan?.hostDevices ?? []).length > 0)) {
        throw new VmFailure('CANNOT_SUSPEND', 'the guest has a device of its host (simulated)');
      }
      await host.call('powerOnMs');
      host.mayFail('saving the domain');
      host.suspend(vmId);
    },
    async forgetMemory(vmId) {
      await host.call();
      const domain = host.domains.get(vmId);
      if (domain !== undefined) domain.isSaved = false;
    },
    async resume(vmId) {
      await host.call();
      if (host.hasDiskErrors) return;
      const domain = host.domains.get(vmId);
      if (domain !== undefined) domain.hasDiskError = false;
      if (domain !== undefined) domain.isPaused = false;
      host.changed(vmId);
    },
    async reset(vmId) {
      await host.call();
      host.mayFail('resetting the domain');
      host.resetGuest(vmId);
    },
    async pingGuest(vmId) {
      await host.call();
      const domain = host.domains.get(vmId);
      return domain?.on === true && domain.hasBooted;
    },
    async powerOff(vmId) {
      await host.call();
      host.mayFail('powering the domain off');
      host.endGuest(vmId, 'destroyed');
    },
    async screenshot(vmId) {
      await host.call();
      if (host.domains.get(vmId)?.on !== true) {
        throw new VmFailure('HYPERVISOR_ERROR', 'a machine that is off shows nothing');
      }
      const pixels = Buffer.alloc(SCREEN.widthPx * SCREEN.heightPx * 3);
      const header = Buffer.from(`P6\n${SCREEN.widthPx} ${SCREEN.heightPx}\n255\n`);
      return { mime: 'image/x-portable-pixmap', bytes: Buffer.concat([header, pixels]) };
    },
    async undefine(vmId) {
      await host.call();
      host.guests.delete(vmId);
      if (host.domains.delete(vmId)) host.changed(vmId);
    },
    async close() {
      if (listener !== undefined) host.hypervisorListeners.delete(listener);
    },
  };
}
