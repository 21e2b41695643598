import type { Random } from '@factory/runtime';
import type { AgentBook } from './agent-book.ts';
import { type ClientTerms, NO_TERMS } from './eligibility.ts';
import type { QuotaNode } from './quota-headroom.ts';
import {
  type Contender,
  createSorter,
  dominantShare,
  type Sorter,
  type SorterKind,
} from './sorter.ts';
import { addUnits, isAnyPositive, type Units } from './units.ts';

export interface RoleTreeOptions {
  readonly roleSorter: SorterKind;
  readonly frameworkSorter: SorterKind;
  readonly random: Random;
  /** Scalars that do not count for shares. */
  readonly isExcluded: (index: number) => boolean;
}

/** Anything in the tree that has a share. */
export class TreeNode implements Contender {
  readonly key: string;
  readonly above: TreeNode | undefined;
  /** Those below that want resources; none below a {@link Client}. */
  readonly sorter: Sorter<TreeNode> | undefined;
  readonly held: number[] = [];
  weight = 1;
  share = 0;
  lastGiven = 0;
  /** Clients at or below it that want resources. */
  wanting = 0;
  /** The last cycle in which a client at or below it is looked at for its own sake. */
  freshInCycle = -1;

  /** A guarantee of it or of what is below it is not met. */
  get isWaitingForGuarantee(): boolean {
    return false;
  }

  constructor(key: string, above: TreeNode | undefined, sorter: Sorter<TreeNode> | undefined) {
    this.key = key;
    this.above = above;
    this.sorter = sorter;
  }
}

/** A role. Its frameworks are below a virtual leaf beside its subroles, as in Mesos' sorter. */
export class RoleNode extends TreeNode implements QuotaNode {
  readonly path: string;
  readonly parent: RoleNode | undefined;
  readonly members: TreeNode;
  readonly children = new Map<string, RoleNode>();
  readonly clients = new Set<Client>();
  readonly consumed: number[] = [];
  guarantees: Units = [];
  limits: Units = [];
  readonly required: number[] = [];
  readonly requiredByChildren: number[] = [];
  changes = 0;
  /** Kept by `QuotaView.isCapped`, of the state after so many {@link changes}. */
  isCapped = false;
  cappedAt = -1;

  override get isWaitingForGuarantee(): boolean {
    return isAnyPositive(this.required);
  }

  constructor(
    path: string,
    parent: RoleNode | undefined,
    subroles: Sorter<TreeNode>,
    frameworks: Sorter<TreeNode>,
  ) {
    super(path, parent, subroles);
    this.path = path;
    this.parent = parent;
    this.members = new TreeNode('.', this, frameworks);
  }
}

/** A framework in one of its roles. */
export class Client extends TreeNode {
  readonly frameworkId: string;
  readonly role: RoleNode;
  terms: ClientTerms = NO_TERMS;
  /** The framework has the role at the moment; otherwise it only still holds something under it. */
  isSubscribed = false;
  /** Agents on which it holds something. */
  agents = 0;
  /** Agents of which it has refused something. */
  readonly refusing = new Set<AgentBook>();

  constructor(frameworkId: string, role: RoleNode) {
    super(frameworkId, role.members, undefined);
    this.frameworkId = frameworkId;
    this.role = role;
  }
}

/**
 * All roles and their frameworks with what they hold, each list in the order in which resources are
 * offered. An event costs as much as its role is deep.
 */
export class RoleTree {
  readonly root: RoleNode;
  readonly #options: RoleTreeOptions;
  readonly #roles = new Map<string, RoleNode>();
  readonly #weights = new Map<string, number>();
  readonly #total: number[] = [];
  #isTotalChanged = false;
  #turn = 0;

  constructor(options: RoleTreeOptions) {
    this.#options = options;
    this.root = this.#newRole('', undefined);
  }

  get total(): Units {
    return this.#total;
  }

  get roles(): ReadonlyMap<string, RoleNode> {
    return this.#roles;
  }

  /** The role of the path, made with its ancestors when it is new. */
  role(path: string): RoleNode {
    const known = this.#roles.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? this.root : this.role(path.slice(0, slash));
    const role = this.#newRole(path, parent);
    role.weight = this.#weights.get(path) ?? 1;
    parent.children.set(path, role);
    this.#roles.set(path, role);
    return role;
  }

  setWeight(path: string, weight: number): void {
    if (weight === 1) this.#weights.delete(path);
    else this.#weights.set(path, weight);
    const role = this.#roles.get(path);
    if (role === undefined) return;
    role.weight = weight;
    this.#refreshShare(role);
  }

  /** The whole cluster became larger or smaller: shares are parts of it. */
  changeTotal(units: Units, factor: 1 | -1): void {
    addUnits(this.#total, units, factor);
    this.#isTotalChanged = true;
  }

  /** The client holds more, or less. */
  changeHeld(client: Client, units: Units, factor: 1 | -1): void {
    for (let node: TreeNode | undefined = client; node !== undefined; node = node.above) {
      addUnits(node.held, units, factor);
      this.#refreshShare(node);
    }
  }

  /** It was the client's turn: among equals the others go first now. */
  noteTurn(client: Client): void {
    this.#turn += 1;
    for (let node: TreeNode | undefined = client; node !== undefined; node = node.above) {
      node.lastGiven = this.#turn;
      node.above?.sorter?.noteChange(node);
    }
  }

  /** Puts the client among those that want resources, or takes it out. */
  setWanting(client: Client, wants: boolean): void {
    if (wants === client.wanting > 0) return;
    const change = wants ? 1 : -1;
    for (let node: TreeNode | undefined = client; node !== undefined; node = node.above) {
      const before = node.wanting;
      node.wanting += change;
      if (before === 0) node.above?.sorter?.add(node);
      else if (node.wanting === 0) node.above?.sorter?.remove(node);
    }
  }

  /** Marks the client to be looked at in the cycle, whatever agents have changed. */
  markFresh(client: Client, cycle: number): void {
    for (let node: TreeNode | undefined = client; node !== undefined; node = node.above) {
      node.freshInCycle = cycle;
    }
  }

  /** Forgets a role that says nothing any more, and its ancestors likewise. */
  prune(role: RoleNode): void {
    const isUsed =
      role.clients.size > 0 ||
      role.children.size > 0 ||
      role.guarantees.length > 0 ||
      role.limits.length > 0 ||
      role.consumed.some((units) => units !== 0);
    if (isUsed || role.parent === undefined) return;
    role.parent.children.delete(role.path);
    this.#roles.delete(role.path);
    this.prune(role.parent);
  }

  /**
   * Goes through those that want resources, whose turn it is first; `each` ends it with true.
   * What changes meanwhile changes the order of the next walk.
   * @param isWorthwhile false for nodes that need not be looked at, nor what is below.
   */
  walk(isWorthwhile: (node: TreeNode) => boolean, each: (client: Client) => boolean): void {
    if (this.#isTotalChanged) this.#refreshAllShares(this.root);
    this.#isTotalChanged = false;
    walkBelow(this.root, isWorthwhile, each);
  }

  #newRole(path: string, parent: RoleNode | undefined): RoleNode {
    const { roleSorter, frameworkSorter, random } = this.#options;
    const subroles = createSorter<TreeNode>(roleSorter, random);
    return new RoleNode(path, parent, subroles, createSorter<TreeNode>(frameworkSorter, random));
  }

  #refreshShare(node: TreeNode): void {
    const share = dominantShare(node.held, this.#total, this.#options.isExcluded) / node.weight;
    node.share = share;
    node.above?.sorter?.noteChange(node);
  }

  #refreshAllShares(role: RoleNode): void {
    this.#refreshShare(role);
    this.#refreshShare(role.members);
    for (const client of role.clients) this.#refreshShare(client);
    for (const child of role.children.values()) this.#refreshAllShares(child);
  }
}

function walkBelow(
  node: TreeNode,
  isWorthwhile: (node: TreeNode) => boolean,
  each: (client: Client) => boolean,
): boolean {
  const { sorter } = node;
  if (sorter === undefined) return false;
  sorter.begin();
  for (let position = 0; ; position += 1) {
    const child = sorter.at(position);
    if (child === undefined) return false;
    if (!isWorthwhile(child)) continue;
    const isOver = child instanceof Client ? each(child) : walkBelow(child, isWorthwhile, each);
    if (isOver) return true;
  }
}
