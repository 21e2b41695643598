import type { VmId } from '@factory/contracts';
import { type DomainRef, type DomainStatus, isLibvirtError } from '@factory/libvirt';
import type { Clock, Logger, Random } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { type DomainType, domainXml } from './domain-xml/domain.ts';
import { createLibvirtGuestAgent } from './guest-agent.ts';
import { createLibvirtLink, type LibvirtLink, toVmFailure } from './libvirt-link.ts';
import { createLinkPool } from './link-pool.ts';
import { createLibvirtLiveDisk } from './live-disk.ts';
import { createLibvirtLiveVolumes } from './live-volumes.ts';
import { domainRef, isOwnedBy, type Owner, vmIdOfDomain } from './names.ts';
import type { DomainSeen, Hypervisor, HypervisorEvent, OffCause, Power } from './port.ts';
import { withWords, wordsOfQemu } from './qemu-log.ts';

/** What libvirt says of a guest that is off, gone, or without an agent that answers. */
const NO_AGENT = [
  'AGENT_UNRESPONSIVE',
  'AGENT_UNSYNCED',
  'ARGUMENT_UNSUPPORTED',
  'OPERATION_INVALID',
  'NO_DOMAIN',
] as const;
/** Starting QEMU on a crowded host takes its time; the state's deadline bounds it all. */
const POWER_ON_TIMEOUT_MS = 290_000;
/** Writing a guest's memory to a file. */
const SUSPEND_TIMEOUT_MS = 590_000;

/** An agent that is there answers at once; libvirtd's place for the call is not held for longer. */
const PING_TIMEOUT_MS = 4_000;

/** The hypervisor behind libvirtd. */
export function createLibvirtHypervisor(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly instance: string;
  readonly domainType: () => Promise<DomainType>;
  readonly socketPath: string;
  readonly uri?: string;
}): Hypervisor {
  const { instance, logger } = options;
  const newLink = (): LibvirtLink => createLibvirtLink({ uri: 'qemu:///system', ...options });
  const link = newLink();
  // Power-ons and -offs take seconds: nothing quick shall wait behind them.
  const slowLink = createLinkPool([newLink(), newLink(), newLink(), newLink()]);
  const owner = Promise.withResolvers<Owner>();

  return {
    ...createLibvirtGuestAgent(link),
    ...createLibvirtLiveDisk(slowLink),
    ...createLibvirtLiveVolumes(slowLink),
    start(listener) {
      follow(link, logger, listener);
      slowLink.start({ onConnected: async () => undefined, onDisconnected: () => undefined });
    },
    identify: (hostName) => owner.resolve({ instance, hostName }),
    listDomains: async () => listDomains(link, await owner.promise),
    findDomain: (vmId, signal) =>
      link.use(async ({ domains }) => {
        const status = await orUndefined(domains.getState(domainRef(vmId)));
        if (status?.state !== 'shutoff') return status && seen(vmId, status);
        // After a restart of libvirtd the reason does not tell.
        const isSaved = await orUndefined(domains.hasManagedSave(domainRef(vmId)));
        return withDetail(seen(vmId, status, isSaved));
      }, signal),
    async define(plan, signal) {
      const xml = domainXml(plan, await options.domainType(), await owner.promise);
      await link.use(({ domains }) => domains.define(xml), signal);
    },
    async powerOn(vmId, signal) {
      try {
        await slowLink.use(({ domains }) => startDomain(domains, domainRef(vmId)), signal);
      } catch (error) {
        throw withWords(error, await wordsOfQemu(vmId));
      }
    },
    pressPowerButton: (vmId, signal) =>
      link.use(
        ({ domains }) => ifRunning(domains.shutdown(domainRef(vmId), { method: 'acpi' })),
        signal,
      ),
    suspend: (vmId, signal) =>
      slowLink.use(({ domains }) => suspendDomain(domains, domainRef(vmId)), signal),
    forgetMemory: (vmId, signal) =>
      link.use(async ({ domains }) => {
        // Not if there is none: libvirt fails to remove a file that is not there.
        if (await orUndefined(domains.hasManagedSave(domainRef(vmId)))) {
          await domains.removeManagedSave(domainRef(vmId));
        }
      }, signal),
    resume: (vmId, signal) =>
      link.use(({ domains }) => ifRunning(domains.resume(domainRef(vmId))), signal),
    reset: (vmId, signal) =>
      link.use(({ domains }) => ifRunning(domains.reset(domainRef(vmId))), signal),
    pingGuest: (vmId, signal) =>
      link.use(
        ({ guestAgent }) =>
          answers(guestAgent.ping(domainRef(vmId), { timeoutMs: PING_TIMEOUT_MS })),
        signal,
      ),
    powerOff: (vmId, signal) =>
      slowLink.use(({ domains }) => ifRunning(domains.destroy(domainRef(vmId))), signal),
    screenshot: (vmId, signal) =>
      slowLink.use(({ domains }) => domains.screenshot(domainRef(vmId)), signal),
    undefine: (vmId, signal) =>
      link.use(async ({ domains }) => {
        const kept = { managedSave: true, snapshotsMetadata: true, nvram: 'remove' } as const;
        await orUndefined(domains.undefine(domainRef(vmId), kept));
      }, signal),
    async close() {
      await Promise.all([link.close(), slowLink.close()]);
    },
  };
}

function follow(
  link: LibvirtLink,
  logger: Logger,
  listener: (event: HypervisorEvent) => void,
): void {
  link.start({
    async onConnected(libvirt) {
      await libvirt.events.on('lifecycle', (event) => {
        const vmId = vmIdOfDomain(event.domain.name);
        if (vmId === undefined) return;
        logger.debug({ vmId, event: event.event, detail: event.detail }, 'domain event');
        listener({ kind: 'domainChanged', vmId });
      });
      listener({ kind: 'connected' });
    },
    onDisconnected(message) {
      listener({ kind: 'disconnected', message });
    },
  });
}

async function listDomains(link: LibvirtLink, owner: Owner): Promise<readonly DomainSeen[]> {
  return link.use(async ({ domains }) => {
    const all = await domains.list();
    const found = await Promise.all(
      all.map(async (domain) => {
        const vmId = vmIdOfDomain(domain.name);
        if (vmId === undefined) return [];
        // Gone since the list was made: not worth a word.
        const xml = await orUndefined(domains.getXml(domain));
        if (xml === undefined || !isOwnedBy(xml, owner)) return [];
        const status = await orUndefined(domains.getState(domain));
        return status === undefined ? [] : [seen(vmId, status)];
      }),
    );
    return found.flat();
  });
}

type Domains = Parameters<Parameters<LibvirtLink['use']>[0]>[0]['domains'];

async function suspendDomain(domains: Domains, ref: DomainRef): Promise<void> {
  try {
    await domains.managedSave(ref, { timeoutMs: SUSPEND_TIMEOUT_MS });
  } catch (error) {
    if (!isLibvirtError(error) || isLibvirtError(error, 'NO_DOMAIN')) throw error;
    const status = await domains.getState(ref);
    if (powerOf(status).kind !== 'on') return;
    const failure = toVmFailure(error);
    const isItsHost = !(failure instanceof VmFailure) || failure.reason !== 'HYPERVISOR_ERROR';
    // Another job of the domain is under way.
    if (isItsHost || isLibvirtError(error, 'OPERATION_TIMEOUT')) throw error;
    throw new VmFailure('CANNOT_SUSPEND', failure.message, { cause: error });
  }
}

async function startDomain(domains: Domains, ref: DomainRef): Promise<void> {
  try {
    await domains.start(ref, { timeoutMs: POWER_ON_TIMEOUT_MS });
  } catch (error) {
    if (!isLibvirtError(error, 'OPERATION_INVALID')) throw error;
    const status = await domains.getState(ref);
    if (powerOf(status).kind !== 'on') throw error;
  }
}

function seen(vmId: VmId, status: DomainStatus, isSaved = false): DomainSeen {
  const power = powerOf(status);
  const detail = `${status.state}, reason ${status.reason}`;
  const isKept = power.kind === 'off' && isSaved;
  return { vmId, power: isKept ? { ...power, isSaved } : power, detail };
}

/** Why a domain is paused for a moment that ends by itself. */
const PASSING_PAUSES: ReadonlySet<string> = new Set([
  ...['migration', 'save', 'dump', 'snapshot', 'shutting-down', 'starting-up'],
  ...['postcopy', 'postcopy-failed'],
]);

/** Of a domain that came to a bad end, QEMU's own words are told too. */
async function withDetail(domain: DomainSeen): Promise<DomainSeen> {
  const { vmId, power, detail } = domain;
  const isBad = power.kind === 'off' && BAD_ENDS.includes(power.cause);
  const words = isBad ? await wordsOfQemu(vmId) : undefined;
  return words === undefined ? domain : { ...domain, detail: `${detail}; QEMU said: ${words}` };
}

const BAD_ENDS: readonly OffCause[] = ['killed', 'crashed', 'failedToStart'];

/** What libvirt's state and reason mean for us. */
export function powerOf(status: DomainStatus): Power {
  switch (status.state) {
    case 'shutoff':
      return { kind: 'off', cause: offCause(status.reason) };
    case 'crashed':
      return { kind: 'off', cause: 'crashed' };
    case 'paused':
      if (status.reason === 'io-error') return { kind: 'on', hasDiskError: true };
      return PASSING_PAUSES.has(status.reason) ? { kind: 'on' } : { kind: 'on', isPaused: true };
    case 'no-state':
    case 'running':
    case 'blocked':
    case 'shutdown':
    case 'pm-suspended':
    case 'unknown':
      return { kind: 'on' };
  }
}

/** virDomainShutoffReason in our words. */
function offCause(reason: string): OffCause {
  switch (reason) {
    case 'shutdown':
      return 'guestShutdown';
    case 'destroyed':
      return 'destroyed';
    // libvirt says so when QEMU's end came without a word (qemuProcessHandleMonitorEOF). Our guests
    // have no panic device, by which a guest's own crash would end it.
    case 'crashed':
      return 'killed';
    case 'failed':
      return 'failedToStart';
    default:
      return 'unknown';
  }
}

/** What is awaited, or undefined when there is no such domain. */
async function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isLibvirtError(error, 'NO_DOMAIN')) return undefined;
    throw error;
  }
}

/** Whether the guest agent answered. */
async function answers(ping: Promise<void>): Promise<boolean> {
  try {
    await ping;
    return true;
  } catch (error) {
    if (NO_AGENT.some((code) => isLibvirtError(error, code))) return false;
    throw error;
  }
}

/** Waits for what only a running domain can do; one that is off or gone needs it no more. */
async function ifRunning(promise: Promise<void>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (isLibvirtError(error, 'NO_DOMAIN') || isLibvirtError(error, 'OPERATION_INVALID')) return;
    throw error;
  }
}
