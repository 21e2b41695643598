import {
  addResources,
  identityOf,
  type Resources,
  reservationsOf,
  subtractResources,
  unallocateResources,
} from '../protocol/index.ts';
import type { AgentIdentity } from './facts.ts';
import type { Refusal } from './refusals.ts';
import type { Client } from './role-tree.ts';
import { equalSupplies, isOpenScalar, type Supply, supplyOf } from './supply.ts';
import { addUnits, type ScalarNames } from './units.ts';

/** What one client has of one agent, used or offered. */
interface Holding {
  readonly units: number[];
  readonly open: number[];
  /** Uses of each shared resource: the first is what counts. */
  readonly shared: Map<string, number>;
}

const NOWHERE: AgentIdentity = { hostname: '', attributes: [], domain: undefined };

/** The allocator's account of one agent. */
export class AgentBook {
  readonly id: string;
  /** Agents are looked at in the order in which they came. */
  readonly index: number;
  identity = NOWHERE;
  isRemote = false;
  isConnected = false;
  /** Not deactivated, not draining. */
  isActive = true;
  hasGpus = false;
  totalUnits: readonly number[] = [];
  /** Of the reserved resources, by the role for which they are. */
  reservations: ReadonlyMap<string, readonly number[]> = new Map();
  readonly holdings = new Map<Client, Holding>();
  readonly refusals = new Map<Client, readonly Refusal[]>();
  /** What the agent adds to the free and unreserved resources of the cluster. */
  headroom: number[] = [];
  /** Quota kept something of it from being offered. */
  isHeldBack = false;
  readonly #names: ScalarNames;
  #total: Resources = [];
  /** Without allocation marks and without shared resources. */
  #allocated: Resources = [];
  #openTotal: readonly number[] = [];
  readonly #openAllocated: number[] = [];
  #supply: Supply | undefined;
  /** The last one that there was anything in. */
  #lastSupply: Supply | undefined;

  constructor(id: string, index: number, names: ScalarNames) {
    this.id = id;
    this.index = index;
    this.#names = names;
  }

  get isOfferable(): boolean {
    return this.isConnected && this.isActive;
  }

  setTotal(total: Resources): void {
    this.#total = total;
    this.totalUnits = this.#names.sumOf(total);
    this.#openTotal = this.#names.sumOf(total.filter(isOpenScalar));
    this.reservations = reservationsIn(total, this.#names);
    this.hasGpus = total.some(({ name, scalar }) => name === 'gpus' && (scalar?.value ?? 0) > 0);
    this.#supply = undefined;
    this.#lastSupply = undefined;
  }

  /** All that may be offered now. */
  supply(): Supply {
    if (this.#supply !== undefined) return this.#supply;
    const own = this.#total.filter(({ shared }) => shared === undefined);
    const shared = this.#total.filter((each) => each.shared !== undefined);
    const free = [...subtractResources(own, this.#allocated), ...shared];
    const supply = supplyOf(free, this.#names);
    // After an offer is declined all is as it was before: what is remembered of it still holds.
    const isSame = equalSupplies(supply, this.#lastSupply);
    this.#supply = isSame && this.#lastSupply !== undefined ? this.#lastSupply : supply;
    if (!supply.isExhausted) this.#lastSupply = this.#supply;
    return this.#supply;
  }

  /** Unreserved, free, and offerable: what can be counted on for guarantees. */
  headroomNow(): number[] {
    if (!this.isOfferable) return [];
    return this.#openTotal.map((all, index) =>
      Math.max(0, all - (this.#openAllocated[index] ?? 0)),
    );
  }

  /**
   * The client has the resources (marked or not) from now on, or no longer.
   * @returns by how much the counted amounts change: all scalars, and those that consume quota.
   */
  change(client: Client, resources: Resources, factor: 1 | -1) {
    const holding = this.#holdingOf(client);
    const unmarked = unallocateResources(resources);
    const hasShared = unmarked.some(({ shared }) => shared !== undefined);
    const plain = hasShared ? unmarked.filter(({ shared }) => shared === undefined) : unmarked;
    const counted = hasShared
      ? [...plain, ...this.#countedShared(holding, unmarked, factor)]
      : unmarked;
    const units = this.#names.sumOf(counted);
    const isAllOpen = !hasShared && plain.every(isOpenScalar);
    const open = isAllOpen ? units : this.#names.sumOf(plain.filter(isOpenScalar));
    this.#allocated =
      factor === 1
        ? addResources(this.#allocated, plain)
        : subtractResources(this.#allocated, plain);
    addUnits(this.#openAllocated, open, factor);
    addUnits(holding.units, units, factor);
    addUnits(holding.open, open, factor);
    this.#supply = undefined;
    if (isOver(holding)) this.holdings.delete(client);
    return { units, open };
  }

  /** A shared resource counts once for a client, however many of its tasks use it. */
  #countedShared(holding: Holding, resources: Resources, factor: 1 | -1): Resources {
    return resources.filter((resource) => {
      if (resource.shared === undefined) return false;
      const identity = identityOf(resource);
      const before = holding.shared.get(identity) ?? 0;
      holding.shared.set(identity, before + factor);
      if (before + factor === 0) holding.shared.delete(identity);
      return factor === 1 ? before === 0 : before === 1;
    });
  }

  #holdingOf(client: Client): Holding {
    const known = this.holdings.get(client);
    if (known !== undefined) return known;
    const made: Holding = { units: [], open: [], shared: new Map() };
    this.holdings.set(client, made);
    return made;
  }
}

/** Nobody uses ports without some CPU: ranges and sets are not counted. */
function isOver({ units, shared }: Holding): boolean {
  return shared.size === 0 && units.every((count) => count === 0);
}

function reservationsIn(total: Resources, names: ScalarNames): ReadonlyMap<string, number[]> {
  const reserved = total.filter(
    (each) => each.revocable === undefined && reservationsOf(each).length > 0,
  );
  const byRole = Map.groupBy(reserved, (each) => reservationsOf(each).at(-1)?.role ?? '*');
  return new Map([...byRole].map(([role, resources]) => [role, names.sumOf(resources)]));
}
