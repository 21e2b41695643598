import type { GuestInfo, VmId } from '@factory/contracts';
import { isLibvirtError } from '@factory/libvirt';
import { createLimiter } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { guestInfoOf } from './guest-info.ts';
import type { LibvirtLink } from './libvirt-link.ts';
import { domainRef } from './names.ts';

/**
 * The inside of a running guest, by QEMU's agent in it. The guest is not trusted: it may answer
 * anything, or nothing. All throw VmFailure: `GUEST_AGENT_AWAY` when no agent answers.
 */
export interface GuestAgentPort {
  /** Gives a user of the guest a password. */
  setPassword(vmId: VmId, user: string, password: string, signal?: AbortSignal): Promise<void>;
  /** Adds a line to a user's `authorized_keys`, unless it is there. */
  addSshKey(vmId: VmId, user: string, publicKey: string, signal?: AbortSignal): Promise<void>;
  /** What the guest says of itself; undefined when nobody answers. */
  guestInfo(vmId: VmId, signal?: AbortSignal): Promise<GuestInfo | undefined>;
  /** Brings the guest's file systems to rest on its disk; they wait until they are thawed. */
  freeze(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Lets them go on. Nothing happens when they are not frozen. */
  thaw(vmId: VmId, signal?: AbortSignal): Promise<void>;
}

/** An agent that hangs holds libvirtd's place for the call so long, and not many of them at a time. */
const INFO = { timeoutMs: 5_000, parts: ['hostname', 'os', 'interfaces'] } as const;
const INFOS_MAX = 4;

/** What to do about a guest that does not answer. */
const AGENT_AWAY =
  "The guest's agent does not answer: wait until the machine is up, and install and start qemu-guest-agent in it if it has none.";

/** The agents behind libvirtd. */
export function createLibvirtGuestAgent(link: LibvirtLink): GuestAgentPort {
  const limitInfo = createLimiter(INFOS_MAX);
  return {
    setPassword: (vmId, user, password, signal) =>
      link.use(({ guestAgent }) => {
        return orAway(guestAgent.setUserPassword(domainRef(vmId), user, password));
      }, signal),
    addSshKey: (vmId, user, publicKey, signal) =>
      link.use(({ guestAgent }) => {
        return orAway(
          guestAgent.setSshKeys(domainRef(vmId), user, [publicKey], { mode: 'append' }),
        );
      }, signal),
    guestInfo: (vmId, signal) =>
      limitInfo(() =>
        link.use(async ({ guestAgent }) => {
          try {
            return guestInfoOf(await guestAgent.info(domainRef(vmId), INFO));
          } catch (error) {
            if (isLibvirtError(error)) return undefined;
            throw error;
          }
        }, signal),
      ),
    freeze: (vmId, signal) =>
      link.use(async ({ guestAgent }) => {
        await orAway(guestAgent.fsFreeze(domainRef(vmId)));
      }, signal),
    thaw: (vmId, signal) =>
      link.use(async ({ guestAgent }) => {
        await orAway(guestAgent.fsThaw(domainRef(vmId)));
      }, signal),
  };
}

/** What an agent's silence, and its refusal, mean to the machine's user. */
async function orAway<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    const isAway =
      isLibvirtError(cause, 'AGENT_UNRESPONSIVE') ||
      isLibvirtError(cause, 'AGENT_UNSYNCED') ||
      isLibvirtError(cause, 'ARGUMENT_UNSUPPORTED') ||
      isLibvirtError(cause, 'OPERATION_INVALID');
    if (isAway) throw new VmFailure('GUEST_AGENT_AWAY', AGENT_AWAY, { cause });
    if (!isLibvirtError(cause, 'INTERNAL_ERROR')) throw cause;
    throw new VmFailure('HYPERVISOR_ERROR', `The guest refused: ${cause.message}`, { cause });
  }
}
