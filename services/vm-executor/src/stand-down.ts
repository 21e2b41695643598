import { connectLibvirt, type Domain, isLibvirtError, type Libvirt } from '@factory/libvirt';
import { type Clock, sleep, withDeadline } from '@factory/runtime';
import { isOfInstance, vmIdOfDomain } from './hypervisor/names.ts';
import type { HostNetworkPort } from './network/port.ts';

/** What a stand-down works with. */
export interface StandDownOptions {
  readonly instance: string;
  readonly socketPath: string;
  readonly clock: Clock;
  readonly network: HostNetworkPort;
  /** How long guests may take to power off by themselves; 0 (the default) gives them no time. */
  readonly graceMs?: number;
  /** Hears of each step, in words. */
  readonly onProgress?: (message: string) => void;
}

/** What a stand-down removed. */
export interface StandDownResult {
  readonly domains: number;
  readonly networks: number;
}

const PRESS_AGAIN_MS = 2_000;
const LOOK_AGAIN_MS = 100;
/** A subnet takes 0.2 s. */
const NETWORKS_TIMEOUT_MS = 120_000;
/** A guest's UEFI variables and TPM are its own as its disk is: without them it may not boot again. */
const UNDEFINE = { managedSave: true, nvram: 'keep', tpm: 'keep' } as const;

/**
 * Takes everything of an instance out of this machine's hypervisor and kernel: its guests (asked to
 * power off first), their domains, and its networks with all their rules. Disks and records stay, so that the
 * next start powers on what ran. The instance's executors must have ended before: they would take it
 * for guests that stop.
 */
export async function removeInstance(options: StandDownOptions): Promise<StandDownResult> {
  const { instance, socketPath, clock, network, onProgress = () => undefined } = options;
  const libvirt = await connectLibvirt({ uri: 'qemu:///system', socketPath, clock });
  try {
    const domains = await findDomains(libvirt, instance);
    if (domains.length > 0) onProgress(`powering off ${domains.length} machines`);
    await powerOffAll(libvirt, domains, options);
    for (const domain of domains) {
      await ignoring('NO_DOMAIN', libvirt.domains.undefine(domain, UNDEFINE));
    }
    const networks = await withDeadline(clock, 'removing networks', NETWORKS_TIMEOUT_MS, (signal) =>
      removeNetworks(network, signal),
    );
    if (networks > 0) onProgress(`removed ${networks} networks`);
    return { domains: domains.length, networks };
  } finally {
    await libvirt.close();
  }
}

async function findDomains(libvirt: Libvirt, instance: string): Promise<readonly Domain[]> {
  const ours: Domain[] = [];
  for (const domain of await libvirt.domains.list()) {
    if (vmIdOfDomain(domain.name) === undefined) continue;
    const xml = await libvirt.domains.getXml(domain).catch((error: unknown) => {
      if (isLibvirtError(error, 'NO_DOMAIN')) return '';
      throw error;
    });
    if (isOfInstance(xml, instance)) ours.push(domain);
  }
  return ours;
}

async function powerOffAll(
  libvirt: Libvirt,
  domains: readonly Domain[],
  { clock, graceMs = 0, onProgress = () => undefined }: StandDownOptions,
): Promise<void> {
  const endMs = clock.monotonicMs() + graceMs;
  let pressAtMs = clock.monotonicMs();
  let on = await stillOn(libvirt, domains);
  while (on.length > 0 && clock.monotonicMs() < endMs) {
    if (clock.monotonicMs() >= pressAtMs) {
      pressAtMs = clock.monotonicMs() + PRESS_AGAIN_MS;
      await Promise.all(on.map((domain) => pressPowerButton(libvirt, domain)));
    }
    await sleep(clock, LOOK_AGAIN_MS);
    const left = await stillOn(libvirt, on);
    if (left.length < on.length) onProgress(`${left.length} machines still on`);
    on = left;
  }
  if (on.length > 0 && graceMs > 0) onProgress(`forcing ${on.length} machines off`);
  await Promise.all(on.map((domain) => ignoringOff(libvirt.domains.destroy(domain))));
}

async function stillOn(libvirt: Libvirt, domains: readonly Domain[]): Promise<readonly Domain[]> {
  if (domains.length === 0) return [];
  const active = new Set((await libvirt.domains.list({ only: 'active' })).map(({ uuid }) => uuid));
  return domains.filter(({ uuid }) => active.has(uuid));
}

function pressPowerButton(libvirt: Libvirt, domain: Domain): Promise<void> {
  return ignoringOff(libvirt.domains.shutdown(domain, { method: 'acpi' }));
}

async function removeNetworks(network: HostNetworkPort, signal: AbortSignal): Promise<number> {
  const { subnetIds } = await network.inventory(signal);
  await network.removeAll(signal);
  return subnetIds.length;
}

type Code = 'NO_DOMAIN' | 'OPERATION_INVALID';

async function ignoring(code: Code, promise: Promise<void>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if (!isLibvirtError(error, code)) throw error;
  }
}

/** A domain that went off by itself meanwhile needs nothing more. */
function ignoringOff(promise: Promise<void>): Promise<void> {
  return ignoring('NO_DOMAIN', ignoring('OPERATION_INVALID', promise));
}
