import { LibvirtProtocolError } from './errors.ts';
import { type GuestInfo, type GuestInfoPart, guestInfoOf, guestInfoTypes } from './guest-info.ts';
import type { Rpc } from './rpc.ts';
import { typedParamsOf } from './typed-params.ts';
import type { CallOptions, DomainRef } from './types.ts';
import { flagsOf, wireDomain } from './wire.ts';

/** Deadline of a call to the guest agent that has none of its own. */
const AGENT_TIMEOUT_MS = 10_000;
/**
 * libvirt gives up on the guest so long ahead of us: a guest that does not answer is libvirt's
 * AGENT_UNRESPONSIVE then, and not a call that holds a place of the connection.
 */
const AGENT_MARGIN_MS = 2_000;
/** virDomainAuthorizedSSHKeysSetFlags. */
const SSH_KEY_FLAGS = { replace: 0, append: 1, remove: 2 } as const;

/**
 * The QEMU guest agent of a running domain, on its channel `org.qemu.guest_agent.0`.
 *
 * Every method throws LibvirtError: `AGENT_UNRESPONSIVE` when no agent is connected or it does not
 * answer in time, `AGENT_UNSYNCED`, `ARGUMENT_UNSUPPORTED` (the domain has no such channel),
 * `OPERATION_INVALID` (it does not run), `INTERNAL_ERROR` when the agent itself refuses. The guest
 * is not trusted: it may answer anything. `timeoutMs` (default 10,000) is told to libvirt as well,
 * in whole seconds and at least one, some time ahead of our own deadline.
 */
export interface GuestAgent {
  /** Whether somebody answers. @throws as above when nobody does. */
  ping(domain: DomainRef, options?: CallOptions): Promise<void>;
  /** Any command of the agent's protocol, e.g. `guest-exec`; gives its `return` as it came. */
  command(
    domain: DomainRef,
    command: { readonly execute: string; readonly arguments?: Readonly<Record<string, unknown>> },
    options?: CallOptions,
  ): Promise<unknown>;
  /**
   * Freezes all file systems, or those at `mountPoints`; gives how many. One that fails or times
   * out may have frozen some all the same: call `fsThaw` in any case.
   */
  fsFreeze(domain: DomainRef, options?: MountPointOptions): Promise<number>;
  /** Thaws what is frozen; gives how many file systems. Harmless when none is. */
  fsThaw(domain: DomainRef, options?: MountPointOptions): Promise<number>;
  /** `encrypted`: the password is a hash of the guest's crypt(3). The user must exist. */
  setUserPassword(
    domain: DomainRef,
    user: string,
    password: string,
    options?: CallOptions & { readonly encrypted?: boolean },
  ): Promise<void>;
  /** The lines of the user's `authorized_keys`. */
  getSshKeys(domain: DomainRef, user: string, options?: CallOptions): Promise<readonly string[]>;
  /** Adds to, takes from, or (default) replaces the user's `authorized_keys`. */
  setSshKeys(
    domain: DomainRef,
    user: string,
    keys: readonly string[],
    options?: CallOptions & { readonly mode?: keyof typeof SSH_KEY_FLAGS },
  ): Promise<void>;
  /** What the guest says of itself; default all that its agent can tell. */
  info(
    domain: DomainRef,
    options?: CallOptions & { readonly parts?: readonly GuestInfoPart[] },
  ): Promise<GuestInfo>;
}

/** Options of freezing and thawing. */
export interface MountPointOptions extends CallOptions {
  /** Paths in the guest; default all. */
  readonly mountPoints?: readonly string[];
}

function timeoutOf(options: CallOptions): number {
  return options.timeoutMs ?? AGENT_TIMEOUT_MS;
}

/** Whole seconds that libvirt gives the guest. */
function guestTimeoutS(timeoutMs: number): number {
  return Math.max(1, Math.floor((timeoutMs - AGENT_MARGIN_MS) / 1_000));
}

/** Tells libvirt how long it waits for this domain's agent: by default it waits for ever. */
async function bounded(
  rpc: Rpc,
  domain: DomainRef,
  options: CallOptions,
): Promise<{ readonly timeoutMs: number }> {
  const timeoutMs = timeoutOf(options);
  const args = { domain: wireDomain(domain), timeoutS: guestTimeoutS(timeoutMs), flags: 0 };
  await rpc.call('domainAgentSetResponseTimeout', args, { timeoutMs });
  return { timeoutMs };
}

/** @throws LibvirtProtocolError when the text is not an agent's answer. */
function returnOf(answer: string | undefined): unknown {
  try {
    const parsed: unknown = JSON.parse(answer ?? '');
    if (typeof parsed === 'object' && parsed !== null && 'return' in parsed) return parsed.return;
  } catch (error) {
    const cause = error instanceof Error ? error : undefined;
    throw new LibvirtProtocolError('the guest agent answered no JSON', cause);
  }
  throw new LibvirtProtocolError('the guest agent answered without a return value');
}

/** The {@link GuestAgent}s of a connection's domains. */
export function createGuestAgent(rpc: Rpc): GuestAgent {
  async function command(
    domain: DomainRef,
    request: { readonly execute: string },
    options: CallOptions = {},
  ): Promise<unknown> {
    const timeoutMs = timeoutOf(options);
    const timeoutS = guestTimeoutS(timeoutMs);
    const args = { domain: wireDomain(domain), command: JSON.stringify(request), timeoutS };
    const call = rpc.call('qemuDomainAgentCommand', { ...args, flags: 0 }, { timeoutMs });
    return returnOf((await call).result);
  }
  return {
    command,
    async ping(domain, options) {
      await command(domain, { execute: 'guest-ping' }, options);
    },
    async fsFreeze(domain, options = {}) {
      const limit = await bounded(rpc, domain, options);
      const mountPoints = options.mountPoints ?? [];
      const args = { domain: wireDomain(domain), mountPoints, flags: 0 };
      return (await rpc.call('domainFsFreeze', args, limit)).filesystems;
    },
    async fsThaw(domain, options = {}) {
      const limit = await bounded(rpc, domain, options);
      const mountPoints = options.mountPoints ?? [];
      const args = { domain: wireDomain(domain), mountPoints, flags: 0 };
      return (await rpc.call('domainFsThaw', args, limit)).filesystems;
    },
    async setUserPassword(domain, user, password, options = {}) {
      const limit = await bounded(rpc, domain, options);
      const flags = flagsOf([[1, options.encrypted]]);
      const args = { domain: wireDomain(domain), user, password, flags };
      await rpc.call('domainSetUserPassword', args, limit);
    },
    async getSshKeys(domain, user, options = {}) {
      const limit = await bounded(rpc, domain, options);
      const args = { domain: wireDomain(domain), user, flags: 0 };
      return (await rpc.call('domainAuthorizedSshKeysGet', args, limit)).keys;
    },
    async setSshKeys(domain, user, keys, options = {}) {
      const limit = await bounded(rpc, domain, options);
      const flags = SSH_KEY_FLAGS[options.mode ?? 'replace'];
      const args = { domain: wireDomain(domain), user, keys, flags };
      await rpc.call('domainAuthorizedSshKeysSet', args, limit);
    },
    async info(domain, options = {}) {
      const limit = await bounded(rpc, domain, options);
      const types = guestInfoTypes(options.parts ?? []);
      const args = { domain: wireDomain(domain), types, flags: 0 };
      return guestInfoOf(typedParamsOf((await rpc.call('domainGetGuestInfo', args, limit)).params));
    },
  };
}
