import type { VmId } from '@factory/contracts';
import { VmFailure } from '../failures.ts';
import type { GuestAgentPort } from './guest-agent.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** What an agent has done in a simulated guest. */
export interface SimulatedGuest {
  readonly passwords: Map<string, string>;
  readonly sshKeys: Map<string, Set<string>>;
  isFrozen: boolean;
  hostName: string;
}

/** The agents of the guests of a simulated host: those that have booted answer. */
export function createSimulatedGuestAgent(host: SimulatedHost): GuestAgentPort {
  const ask = async (vmId: VmId): Promise<SimulatedGuest> => {
    await host.call();
    const domain = host.domains.get(vmId);
    if (domain?.on !== true || !domain.hasBooted || !host.hasGuestAgents) {
      throw new VmFailure('GUEST_AGENT_AWAY', "The guest's agent does not answer (simulated).");
    }
    const guest = host.guests.get(vmId) ?? {
      passwords: new Map(),
      sshKeys: new Map(),
      isFrozen: false,
      hostName: 'simulated',
    };
    host.guests.set(vmId, guest);
    return guest;
  };
  return {
    async setPassword(vmId, user, password) {
      (await ask(vmId)).passwords.set(user, password);
    },
    async addSshKey(vmId, user, publicKey) {
      const { sshKeys } = await ask(vmId);
      sshKeys.set(user, new Set([...(sshKeys.get(user) ?? []), publicKey]));
    },
    async guestInfo(vmId) {
      const isThere = await ask(vmId).catch(() => undefined);
      if (isThere === undefined) return undefined;
      const os = { id: 'micro', name: 'Simulated', version: '1', kernel: null };
      return { hostName: isThere.hostName, os, addresses: [] };
    },
    async freeze(vmId) {
      (await ask(vmId)).isFrozen = true;
    },
    async thaw(vmId) {
      (await ask(vmId)).isFrozen = false;
    },
  };
}
