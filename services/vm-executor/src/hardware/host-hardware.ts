import {
  HOST_ATTRIBUTES,
  type HostAttribute,
  HUGEPAGE_MIB,
  hardwareResources,
  resourceWords,
  type VmId,
} from '@factory/contracts';
import { keyedMutex } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { chooseHardware, type FreeGpu, type Lack } from './choose.ts';
import { checkGpu, type UsableGpu } from './gpus.ts';
import { type OfferedHardware, offeredHardware } from './offered.ts';
import type {
  GrantStore,
  HardwareGrant,
  HardwareParts,
  HardwareReader,
  HardwareWish,
  HostHardware,
  HostNode,
} from './port.ts';

interface HostHardwareOptions {
  readonly reader: HardwareReader;
  readonly grants: GrantStore;
}

const NOTHING_OFFERED = offeredHardware([]);

/** Hands out what an agent's attributes offer of its host. */
export function createHostHardware(options: HostHardwareOptions): HostHardware {
  return new Handout(options);
}

class Handout implements HostHardware {
  readonly #reader: HardwareReader;
  readonly #grants: GrantStore;
  /** One at a time: what is free is found out and taken in one go. */
  readonly #inTurn = keyedMutex();
  #offered: OfferedHardware = NOTHING_OFFERED;
  #isGone: (vmId: VmId, signal?: AbortSignal) => Promise<boolean> = async () => false;

  constructor({ reader, grants }: HostHardwareOptions) {
    this.#reader = reader;
    this.#grants = grants;
  }

  identify(attributes: readonly HostAttribute[]): void {
    this.#offered = offeredHardware(attributes);
  }

  reclaimFrom(isGone: (vmId: VmId, signal?: AbortSignal) => Promise<boolean>): void {
    this.#isGone = isGone;
  }

  async assign(vmId: VmId, wish: HardwareWish, signal?: AbortSignal): Promise<HardwareParts> {
    const offered = this.#offered;
    const takesAny = Object.keys(hardwareResources(wish)).length > 0;
    // Most machines: they run beside those that have cores of their own.
    if (!takesAny && offered.pinnedCpus.size === 0) return {};
    const nodes = await this.#reader.nodes();
    const sharedCpus = sharedOf(nodes, offered);
    if (!takesAny) return { sharedCpus };
    const { grant, gpus } = await this.#inTurn('grants', () =>
      this.#take(vmId, wish, { offered, nodes }, signal),
    );
    const held = gpus.filter(({ address }) => grant.gpus.includes(address));
    return {
      ...(grant.cpus.length > 0 || offered.pinnedCpus.size > 0 ? { sharedCpus } : {}),
      ...(grant.cpus.length > 0 ? { hostCpus: grant.cpus } : {}),
      ...(held.length > 0 ? { hostDevices: held.flatMap(({ functions }) => functions) } : {}),
      ...(grant.nodes.length > 0 && nodes.length > 1 ? { memoryNodes: grant.nodes } : {}),
    };
  }

  release(vmId: VmId): Promise<void> {
    return this.#inTurn('grants', () => this.#grants.remove(vmId));
  }

  async listHolders(): Promise<readonly VmId[]> {
    return (await this.#grants.list()).map(({ vmId }) => vmId);
  }

  async #take(vmId: VmId, wish: HardwareWish, host: HostSeen, signal?: AbortSignal) {
    const { offered } = host;
    requireModel(wish, offered);
    const gpus = await this.#lookAtGpus(wish, offered);
    const grants = await this.#grants.list();
    signal?.throwIfAborted();
    const own = grants.find((grant) => grant.vmId === vmId);
    let others = grants.filter((grant) => grant.vmId !== vmId);
    const kept = own !== undefined && isStillRight(own, wish, { ...host, gpus: gpus.usable });
    if (kept) return { grant: own, gpus: gpus.usable };
    let choice = chooseHardware(wish, freeOf(host, gpus.usable, others));
    if ('lack' in choice) {
      others = await this.#reclaim(others, signal);
      choice = chooseHardware(wish, freeOf(host, gpus.usable, others));
    }
    if ('lack' in choice) throw lacking(choice, host, gpus.problems, others);
    signal?.throwIfAborted();
    const grant = { vmId, ...choice };
    await this.#grants.write(grant);
    return { grant, gpus: gpus.usable };
  }

  /** Cards that can be passed to a guest, and what is wrong with the others. */
  async #lookAtGpus({ hardware }: HardwareWish, { gpus }: OfferedHardware) {
    if ((hardware?.gpus ?? 0) === 0) return { usable: [], problems: [] };
    const checked = await Promise.all(
      [...new Set(gpus)].map(async (address) =>
        checkGpu(address, await this.#reader.pciDevice(address)),
      ),
    );
    return {
      usable: checked.flatMap((gpu) => ('problem' in gpu ? [] : [gpu])),
      problems: checked.flatMap((gpu) => ('problem' in gpu ? [gpu.problem] : [])),
    };
  }

  /** Takes back what is held by those who are off, and whose task has ended. Gives who is left. */
  async #reclaim(others: readonly HardwareGrant[], signal?: AbortSignal) {
    const left: HardwareGrant[] = [];
    for (const grant of others) {
      if (await this.#isGone(grant.vmId, signal)) await this.#grants.remove(grant.vmId);
      else left.push(grant);
    }
    return left;
  }
}

interface HostSeen {
  readonly offered: OfferedHardware;
  readonly nodes: readonly HostNode[];
}

/** CPUs for all that has none of its own. */
function sharedOf(nodes: readonly HostNode[], { pinnedCpus }: OfferedHardware): readonly number[] {
  const online = nodes.flatMap(({ cpus }) => cpus.map(({ cpu }) => cpu));
  return online.filter((cpu) => !pinnedCpus.has(cpu)).toSorted((a, b) => a - b);
}

function freeOf(
  { nodes, offered }: HostSeen,
  gpus: readonly UsableGpu[],
  others: readonly HardwareGrant[],
) {
  const takenCpus = new Set(others.flatMap(({ cpus }) => cpus));
  const takenGpus = new Set(others.flatMap((grant) => grant.gpus));
  const isFree = ({ cpu }: { readonly cpu: number }): boolean =>
    offered.pinnedCpus.has(cpu) && !takenCpus.has(cpu);
  const freeGpus: readonly FreeGpu[] = gpus.filter(({ address }) => !takenGpus.has(address));
  return {
    nodes: nodes.map((node) => ({ ...node, cpus: node.cpus.filter(isFree) })),
    gpus: freeGpus,
  };
}

/** Whether a VM can keep what it holds: it is as much as it asks for, and still there. */
function isStillRight(
  own: HardwareGrant,
  wish: HardwareWish,
  { nodes, offered, gpus }: HostSeen & { readonly gpus: readonly UsableGpu[] },
): boolean {
  const { hardware, vcpus } = wish;
  const online = new Set(nodes.flatMap(({ cpus }) => cpus.map(({ cpu }) => cpu)));
  const usable = new Set(gpus.map(({ address }) => address));
  return (
    own.gpus.length === (hardware?.gpus ?? 0) &&
    own.cpus.length === (hardware?.cpu?.pinned === true ? vcpus : 0) &&
    (own.nodes.length === 0 || own.nodes.length === (hardware?.cpu?.numaNodes ?? 1)) &&
    own.gpus.every((address) => usable.has(address)) &&
    own.cpus.every((cpu) => online.has(cpu) && offered.pinnedCpus.has(cpu)) &&
    hasPagesFor(wish, own, nodes)
  );
}

/** Pages are nobody's while a guest is off. */
function hasPagesFor(
  { hardware, memoryMiB }: HardwareWish,
  own: HardwareGrant,
  nodes: readonly HostNode[],
): boolean {
  const size = hardware?.cpu?.hugepages;
  if (size === undefined) return true;
  const pages = memoryMiB / HUGEPAGE_MIB[size];
  const freeAt = ({ hugepages }: HostNode): number => hugepages[size].free;
  if (own.nodes.length === 0) return nodes.reduce((sum, node) => sum + freeAt(node), 0) >= pages;
  const homes = nodes.filter(({ node }) => own.nodes.includes(node));
  return homes.every((node) => freeAt(node) >= pages / own.nodes.length);
}

function requireModel({ hardware }: HardwareWish, { gpuModel }: OfferedHardware): void {
  const wanted = hardware?.gpuModel;
  if (wanted === undefined || wanted === gpuModel) return;
  const message = `This host's graphics cards are ${gpuModel ?? 'of no named model'}, not ${wanted}.`;
  throw new VmFailure('GPU_UNAVAILABLE', message);
}

const NAMES = {
  GPU_UNAVAILABLE: 'gpus',
  CPUS_UNAVAILABLE: 'pinned_cpus',
} as const;

function lacking(
  { lack, wanted, free }: Lack,
  { nodes, offered }: HostSeen,
  problems: readonly string[],
  others: readonly HardwareGrant[],
): VmFailure {
  if (lack === 'HUGEPAGES_UNAVAILABLE') {
    const message = `It needs ${wanted} huge pages, and ${free} are free on this host (see vm.nr_hugepages).`;
    // Whoever has them may end; a host that has none is not given any.
    return new VmFailure(lack, message, { isTransient: nodes.some(hasPages) });
  }
  const has = lack === 'GPU_UNAVAILABLE' ? offered.gpus.length : offered.pinnedCpus.size;
  const heldBy = others.filter(({ gpus, cpus }) =>
    lack === 'GPU_UNAVAILABLE' ? gpus.length > 0 : cpus.length > 0,
  );
  const attribute =
    lack === 'GPU_UNAVAILABLE' ? HOST_ATTRIBUTES.gpuDevices : HOST_ATTRIBUTES.pinnedCpus;
  const words = [
    `${free} of this host's ${has} ${resourceWords(NAMES[lack])} are free, and it needs ${wanted}.`,
    ...(has < wanted ? [`Its agent's attribute ${attribute} names ${has}.`] : []),
    ...problems,
    ...(heldBy.length > 0 ? [`Held by ${heldBy.map(({ vmId }) => vmId).join(', ')}.`] : []),
  ];
  const isTransient = has - problems.length >= wanted;
  return new VmFailure(lack, words.join(' '), { isTransient });
}

function hasPages({ hugepages }: HostNode): boolean {
  return Object.values(hugepages).some(({ total }) => total > 0);
}
