import type { VmReason } from '@factory/contracts';
import { HUGEPAGE_MIB } from '@factory/contracts';
import type { HardwareWish, HostCpu, HostNode, HugepageSize } from './port.ts';

/** A graphics card that nobody holds. */
export interface FreeGpu {
  readonly address: string;
  readonly node: number | undefined;
}

/** What can be handed out at present. */
export interface FreeHardware {
  /** Of the whole host; their CPUs are those that may be pinned and are free. */
  readonly nodes: readonly HostNode[];
  readonly gpus: readonly FreeGpu[];
}

/** What is handed out. */
interface Choice {
  readonly gpus: readonly string[];
  readonly cpus: readonly number[];
  readonly nodes: readonly number[];
}

/** What there is too little of. */
export interface Lack {
  readonly lack: Extract<
    VmReason,
    'GPU_UNAVAILABLE' | 'CPUS_UNAVAILABLE' | 'HUGEPAGES_UNAVAILABLE'
  >;
  readonly wanted: number;
  readonly free: number;
}

/** What of a host one NUMA node of the guest takes. */
interface NodeNeed {
  readonly cpus: number;
  readonly hugepages: HugepageSize | undefined;
  readonly pages: number;
}

/**
 * Chooses cores, memory and cards of a host, as near to each other as they are free: each NUMA node
 * of the guest on one of the host, where most of the cards are, and on the one that it fills best.
 * Where none has enough, cores come from several, and memory from anywhere. Pure.
 */
export function chooseHardware(wish: HardwareWish, free: FreeHardware): Choice | Lack {
  const { gpus = 0, cpu = {} } = wish.hardware ?? {};
  const { pinned = false, numaNodes = 1, hugepages } = cpu;
  const pages = hugepages === undefined ? 0 : Math.ceil(wish.memoryMiB / HUGEPAGE_MIB[hugepages]);
  const cpus = pinned ? wish.vcpus : 0;
  const lack = lackOf({ cpus, hugepages, pages }, gpus, free);
  if (lack !== undefined) return lack;
  const isAnywhere = cpus === 0 && pages === 0;
  const need = { cpus: cpus / numaNodes, hugepages, pages: pages / numaNodes };
  const homes = isAnywhere ? [] : (chooseNodes(need, numaNodes, gpus, free) ?? []);
  const order = homes.length > 0 ? homes : byRoom(free.nodes);
  const share = homes.length > 0 ? need.cpus : cpus;
  return {
    gpus: nearest(free.gpus, homes).slice(0, gpus),
    cpus: order.flatMap((home) => wholeCoresFirst(home.cpus).slice(0, share)).slice(0, cpus),
    nodes: homes.map(({ node }) => node),
  };
}

function lackOf(need: NodeNeed, gpus: number, { nodes, gpus: cards }: FreeHardware) {
  const sum = (count: (node: HostNode) => number): number =>
    nodes.reduce((total, node) => total + count(node), 0);
  const { hugepages } = need;
  const freePages = hugepages === undefined ? 0 : sum((node) => node.hugepages[hugepages].free);
  const counts: readonly Lack[] = [
    { lack: 'GPU_UNAVAILABLE', wanted: gpus, free: cards.length },
    { lack: 'CPUS_UNAVAILABLE', wanted: need.cpus, free: sum(({ cpus }) => cpus.length) },
    { lack: 'HUGEPAGES_UNAVAILABLE', wanted: need.pages, free: freePages },
  ];
  return counts.find(({ wanted, free }) => wanted > free);
}

/** A node of the host for each of the guest's; undefined when there are not as many with room. */
function chooseNodes(
  { cpus, hugepages, pages }: NodeNeed,
  count: number,
  gpus: number,
  free: FreeHardware,
): readonly HostNode[] | undefined {
  const cardsAt = ({ node }: HostNode): number =>
    Math.min(gpus, free.gpus.filter((gpu) => gpu.node === node).length);
  const able = free.nodes.filter(
    (node) =>
      node.cpus.length >= cpus &&
      (hugepages === undefined || node.hugepages[hugepages].free >= pages),
  );
  if (able.length < count) return undefined;
  return able
    .toSorted((a, b) => cardsAt(b) - cardsAt(a) || a.cpus.length - b.cpus.length || a.node - b.node)
    .slice(0, count);
}

/** The fewest nodes have to give something when the roomiest gives first. */
function byRoom(nodes: readonly HostNode[]): readonly HostNode[] {
  return nodes.toSorted((a, b) => b.cpus.length - a.cpus.length || a.node - b.node);
}

/** A core that is shared with another machine is half a core: those that are free as a whole first. */
function wholeCoresFirst(cpus: readonly HostCpu[]): readonly number[] {
  const cores = Map.groupBy(cpus, ({ core }) => core);
  return [...cores.values()]
    .toSorted((a, b) => b.length - a.length || first(a) - first(b))
    .flatMap((core) => core.map(({ cpu }) => cpu).toSorted((a, b) => a - b));
}

function first(core: readonly HostCpu[]): number {
  return Math.min(...core.map(({ cpu }) => cpu));
}

function nearest(gpus: readonly FreeGpu[], homes: readonly HostNode[]): readonly string[] {
  const isNear = ({ node }: FreeGpu): boolean => homes.some((home) => home.node === node);
  return gpus
    .toSorted((a, b) => Number(isNear(b)) - Number(isNear(a)) || (a.address < b.address ? -1 : 1))
    .map(({ address }) => address);
}
