import type { Orphan, VmId } from '@factory/contracts';
import { type Clock, type Logger, type Timer, withDeadline } from '@factory/runtime';
import { noHardware } from './hardware/none.ts';
import type { HostHardware } from './hardware/port.ts';
import type { Hypervisor } from './hypervisor/port.ts';
import type { HostNetworkPort, NetworkInventory } from './network/port.ts';
import type { VmStorage } from './storage/port.ts';
import type { VolumePort } from './volumes/port.ts';

/** What is on this host in our name, and no task speaks for it. */
export interface Orphans {
  readonly domains: readonly VmId[];
  /** VMs with a folder, a lease of an address or one of a disk, or parts of the host for itself. */
  readonly folders: readonly VmId[];
  /** VMs with a network card. */
  readonly cards: readonly VmId[];
}

const NETWORK_TIMEOUT_MS = 30_000;

/**
 * Looks for orphans. They are only told of, never removed: their task may come yet (rule 6). Only
 * subnets without cards go: they are made by the next card.
 */
async function findOrphans(options: OrphanSearchOptions): Promise<Orphans> {
  const { clock, hypervisor, network, storage, volumes, isKept } = options;
  const { hardware = noHardware } = options;
  const domains = (await hypervisor.listDomains()).map(({ vmId }) => vmId);
  const folders = new Set([
    ...(await storage.listVms()),
    ...(await storage.listLeases()),
    ...(await volumes.listHeld()).map(({ vmId }) => vmId),
    ...(await hardware.listHolders()),
  ]);
  const looking = async (signal: AbortSignal): Promise<NetworkInventory> => {
    await network.dropUnused(signal);
    return await network.inventory(signal);
  };
  const { nics } = await withDeadline(clock, 'a look at networks', NETWORK_TIMEOUT_MS, looking);
  const cards = new Set(nics.filter((nic) => network.isOwn(nic)).map(({ vmId }) => vmId));
  const isOrphan = (vmId: VmId): boolean => !isKept(vmId);
  return {
    domains: domains.filter(isOrphan),
    folders: [...folders].filter(isOrphan),
    cards: [...cards].filter(isOrphan),
  };
}

/** Those that still are, as the scheduler is told of them. */
function asReported(
  { domains, folders, cards }: Orphans,
  isStill: (vmId: VmId) => boolean,
): readonly Orphan[] {
  const [withDomain, withFiles, withCards] = [new Set(domains), new Set(folders), new Set(cards)];
  return [...withDomain.union(withFiles).union(withCards)].filter(isStill).map((vmId) => ({
    vmId,
    hasDomain: withDomain.has(vmId),
    hasFiles: withFiles.has(vmId),
    hasCards: withCards.has(vmId),
  }));
}

interface OrphanSearchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hypervisor: Hypervisor;
  readonly network: HostNetworkPort;
  readonly storage: VmStorage;
  readonly volumes: VolumePort;
  readonly hardware?: HostHardware;
  readonly intervalMs: number;
  /** A task speaks for it. */
  readonly isKept: (vmId: VmId) => boolean;
}

/** Looks for orphans at its start, and every so often after that. */
export class OrphanSearch {
  readonly #options: OrphanSearchOptions;
  #found: Orphans | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: OrphanSearchOptions) {
    this.#options = options;
  }

  /** What was found last; nothing before the first search. */
  get found(): Orphans {
    return this.#found ?? { domains: [], folders: [], cards: [] };
  }

  /** As found last, without those for which a task has come since; undefined before the first search. */
  reported(): readonly Orphan[] | undefined {
    return this.#found && asReported(this.#found, (vmId) => !this.#options.isKept(vmId));
  }

  /** Searches now. */
  start(): void {
    this.#search().catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'the search for orphans failed');
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #search(): Promise<void> {
    const { clock, logger, intervalMs } = this.#options;
    try {
      this.#found = await findOrphans(this.#options);
      const { domains, folders, cards } = this.#found;
      if (domains.length + folders.length + cards.length > 0) {
        logger.warn({ domains, folders, cards }, 'no task speaks for these; they are left alone');
      }
    } finally {
      if (!this.#isClosed) this.#timer = clock.after(intervalMs, () => this.start());
    }
  }
}
