import type { VmId, VmReason } from '@factory/contracts';
import { type Clock, type Random, sleep } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { SimulatedHardware } from '../hardware/simulated.ts';
import { createSimulatedNetwork, type SimulatedNetwork } from '../network/simulated.ts';
import type { AddressLease, Image } from '../storage/port.ts';
import { SimulatedSharedStorage } from '../volumes/simulated.ts';
import type { DiskCopy } from './live-disk.ts';
import type { PlannedDevice } from './live-volumes.ts';
import type { DomainPlan, HypervisorEvent, OffCause } from './port.ts';
import type { SimulatedGuest } from './simulated-guest-agent.ts';

/** How a simulated host behaves. */
export interface SimulatedHostOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly images: readonly Image[];
  readonly latency?: Partial<SimulatedLatency>;
  /** Where its tunnels to other hosts would end; by default it has none. */
  readonly tunnelAddress?: string;
  /** Probability, 0 to 1, that making, starting or removing something fails for good. */
  readonly failureRate?: number;
  readonly sharedStorage?: SimulatedSharedStorage;
  /** Whether an agent runs in its guests; default yes. */
  readonly guestAgents?: boolean;
}

/** Each takes from half to one and a half of this long. */
export interface SimulatedLatency {
  readonly callMs: number;
  readonly powerOnMs: number;
  readonly guestBootMs: number;
  readonly guestShutdownMs: number;
  readonly diskCopyMs: number;
}

const DEFAULT_LATENCY: SimulatedLatency = {
  callMs: 2,
  powerOnMs: 300,
  guestBootMs: 3_000,
  guestShutdownMs: 500,
  diskCopyMs: 2_000,
};

interface SimulatedDomain {
  readonly plan: DomainPlan;
  on: boolean;
  offCause: OffCause;
  /** Counts its guest's beginnings: what was set going for an earlier one means nothing later. */
  life: number;
  hasBooted: boolean;
  /** How often the reset button was pressed. */
  resets?: number;
  /** Of its disk. */
  copy?: DiskCopy;
  /** Volumes that the guest has that is on. */
  plugged?: readonly PlannedDevice[];
  /** Its CPUs stand still. */
  hasDiskError?: boolean;
  /** Somebody stopped its CPUs. */
  isPaused?: boolean;
  /** Its memory is kept while it is off. */
  isSaved?: boolean;
}

/** A disk: the image that it was made of, and its size. */
export interface SimulatedDisk {
  readonly image: string;
  readonly sizeGiB: number;
}

/** A VM's folder. */
export interface SimulatedFiles {
  record: string | undefined;
  /** What is left of the record after a power failure. */
  durableRecord?: string | undefined;
  hasDisk: boolean;
  /** What the disk is. */
  disk?: SimulatedDisk;
  newDisk?: SimulatedDisk;
  hasSeed: boolean;
  /** What the guest has written to its disk. */
  content?: string;
  snapshots?: Map<string, { readonly createdAtMs: number; readonly content: string }>;
  /** Copies of the disk, by the operation that makes an image of it. */
  drafts?: Map<string, string>;
  /** Those that the hypervisor writes. */
  liveCopies?: Map<string, string>;
}

/**
 * A host in memory: domains, networks and files. It outlives the executors that run on it, as the
 * real one does; tests and simulations reach into it as the outside world would.
 */
export class SimulatedHost {
  readonly clock: Clock;
  readonly images: readonly Image[];
  readonly domains = new Map<VmId, SimulatedDomain>();
  /** Its pauses are those of a call; it answers while the hypervisor does not. */
  readonly network: SimulatedNetwork;
  /** What agents have done in guests. */
  readonly guests = new Map<VmId, SimulatedGuest>();
  readonly hasGuestAgents: boolean;
  /** What was made of disks here, by name and version; and attempts that have not ended. */
  readonly published = new Map<string, Image>();
  readonly partialImages = new Set<string>();
  /** Guests let no volume go. */
  holdsVolumes = false;
  readonly folders = new Map<VmId, SimulatedFiles>();
  readonly leases = new Map<VmId, AddressLease>();
  /** What it shares with other hosts, where they do. */
  readonly sharedStorage: SimulatedSharedStorage;
  readonly hardware = new SimulatedHardware();
  readonly consoles = new Map<VmId, string>();
  readonly consoleListeners = new Map<VmId, Set<() => void>>();
  readonly hypervisorListeners = new Set<(event: HypervisorEvent) => void>();
  readonly #random: Random;
  readonly #latency: SimulatedLatency;
  #failureRate: number;
  #storageTrouble: VmReason | undefined;
  #isReachable = true;

  constructor(options: SimulatedHostOptions) {
    this.clock = options.clock;
    this.images = options.images;
    this.sharedStorage = options.sharedStorage ?? new SimulatedSharedStorage();
    this.#random = options.random;
    this.#latency = { ...DEFAULT_LATENCY, ...options.latency };
    this.#failureRate = options.failureRate ?? 0;
    const pause = (): Promise<void> => sleep(this.clock, this.#jitter('callMs'));
    this.network = createSimulatedNetwork('simulated', pause, options.tunnelAddress ?? null);
    this.hasGuestAgents = options.guestAgents ?? true;
  }

  /** Waits as a call to the hypervisor does. @throws VmFailure while it can't be reached. */
  async call(latency: keyof SimulatedLatency = 'callMs'): Promise<void> {
    this.#requireReachable();
    await sleep(this.clock, this.#jitter(latency));
    this.#requireReachable();
  }

  /** @throws VmFailure at the failure rate. */
  mayFail(what: string): void {
    if (this.#random.next() < this.#failureRate) {
      throw new VmFailure('HYPERVISOR_ERROR', `${what} failed (simulated)`);
    }
  }

  /** From now on so much fails. */
  setFailureRate(rate: number): void {
    this.#failureRate = rate;
  }

  /** From now on the files can't be used, for this reason (undefined: they can again). */
  setStorageTrouble(reason: VmReason | undefined): void {
    this.#storageTrouble = reason;
  }

  /** @throws VmFailure while the files can't be used. */
  useStorage(what: string): void {
    if (this.#storageTrouble === undefined) return;
    const message = `${what} failed (simulated)`;
    throw new VmFailure(this.#storageTrouble, message, { isTransient: true });
  }

  /** Guests that write stop. */
  get hasDiskErrors(): boolean {
    return this.#storageTrouble !== undefined;
  }

  /** The guest's disk gives an error, upon which the hypervisor stops its CPUs. */
  failDisk(vmId: VmId): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || !domain.on) return;
    domain.hasDiskError = true;
    this.changed(vmId);
  }

  /** Guests currently on. */
  runningVms(): readonly VmId[] {
    return [...this.domains].filter(([, domain]) => domain.on).map(([vmId]) => vmId);
  }

  /** The guest comes on, boots, and says so on its console. */
  powerOn(vmId: VmId): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || domain.on) return;
    domain.on = true;
    domain.isPaused = false;
    const isSaved = domain.isSaved === true;
    domain.isSaved = false;
    const { volumes = [], filesystems = [] } = domain.plan;
    if (!isSaved) domain.plugged = [...volumes, ...filesystems];
    if (isSaved) this.changed(vmId);
    else this.#boot(vmId, domain);
  }

  /** Its memory is written to a file, and it is off: the same life goes on later. */
  suspend(vmId: VmId): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || !domain.on) return;
    domain.isSaved = true;
    this.endGuest(vmId, 'unknown');
  }

  /** Somebody stops its CPUs, or lets them go on. */
  setPaused(vmId: VmId, isPaused: boolean): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || !domain.on) return;
    domain.isPaused = isPaused;
    this.changed(vmId);
  }

  /** The guest begins anew. */
  resetGuest(vmId: VmId): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || !domain.on) return;
    domain.resets = (domain.resets ?? 0) + 1;
    this.#boot(vmId, domain);
  }

  #boot(vmId: VmId, domain: SimulatedDomain): void {
    domain.hasBooted = false;
    domain.life += 1;
    this.#forgetLife(vmId, domain);
    const { life } = domain;
    this.changed(vmId);
    this.clock.after(this.#jitter('guestBootMs'), () => {
      if (!domain.on || domain.life !== life || this.domains.get(vmId) !== domain) return;
      domain.hasBooted = true;
      const markers = this.images.flatMap((image) => image.readyMarker ?? []);
      this.writeConsole(vmId, `simulated guest ${vmId}\n${markers.join('\n')}\n`);
    });
  }

  /** The power button: a guest that is still booting ignores it. */
  pressPowerButton(vmId: VmId): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || !domain.on || !domain.hasBooted) return;
    const { life } = domain;
    this.clock.after(this.#jitter('guestShutdownMs'), () => {
      if (domain.life === life) this.endGuest(vmId, 'guestShutdown');
    });
  }

  /** The guest goes off, for this cause: of its own will, crashed, killed, unplugged. */
  endGuest(vmId: VmId, cause: OffCause): void {
    const domain = this.domains.get(vmId);
    if (domain === undefined || !domain.on) return;
    domain.on = false;
    domain.offCause = cause;
    this.changed(vmId);
  }

  /** Puts an image among those that machines can be made from. */
  publishImage(image: Image & { readonly version: string }): void {
    this.published.set(`${image.name}/${image.version}`, image);
  }

  /** Calls back when a copy of a disk takes its end. */
  afterCopy(done: () => void): void {
    this.clock.after(this.#jitter('diskCopyMs'), done);
  }

  /** The guest's disk, as it is now, under a name; one of that name stays. */
  snapshotDisk(vmId: VmId, tag: string): void {
    const folder = this.folders.get(vmId);
    if (folder === undefined || folder.snapshots?.has(tag) === true) return;
    const kept = { createdAtMs: this.clock.nowMs(), content: folder.content ?? '' };
    folder.snapshots = new Map([...(folder.snapshots ?? []), [tag, kept]]);
  }

  /** Appends to the guest's console log. */
  writeConsole(vmId: VmId, text: string): void {
    this.consoles.set(vmId, (this.consoles.get(vmId) ?? '') + text);
    for (const listener of this.consoleListeners.get(vmId) ?? []) listener();
  }

  /** The hypervisor's service stops answering; guests run on. */
  disconnect(): void {
    this.#isReachable = false;
    this.#tell({ kind: 'disconnected', message: 'the hypervisor is away (simulated)' });
  }

  /** It answers again. */
  reconnect(): void {
    this.#isReachable = true;
    this.#tell({ kind: 'connected' });
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  /**
   * Power failure and restart of the host: guests are off without a cause, networks are gone, and
   * of the records there is what was synced.
   */
  restart(): void {
    this.network.clear();
    for (const folder of this.folders.values()) folder.record = folder.durableRecord;
    for (const [vmId, domain] of this.domains) {
      domain.on = false;
      domain.offCause = 'unknown';
      if (domain.isSaved !== true) domain.life += 1;
      this.#forgetLife(vmId, domain);
    }
  }

  /** What was in the memory of QEMU and of its guest is gone. */
  #forgetLife(vmId: VmId, domain: SimulatedDomain): void {
    delete domain.copy;
    const guest = this.guests.get(vmId);
    if (guest !== undefined) guest.isFrozen = false;
  }

  changed(vmId: VmId): void {
    if (this.#isReachable) this.#tell({ kind: 'domainChanged', vmId });
  }

  #tell(event: HypervisorEvent): void {
    for (const listener of [...this.hypervisorListeners]) listener(event);
  }

  #jitter(latency: keyof SimulatedLatency): number {
    return this.#latency[latency] * (0.5 + this.#random.next());
  }

  #requireReachable(): void {
    if (this.#isReachable) return;
    const message = 'the hypervisor is away (simulated)';
    throw new VmFailure('HYPERVISOR_UNAVAILABLE', message, { isTransient: true });
  }
}
