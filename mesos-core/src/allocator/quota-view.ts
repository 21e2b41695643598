import type { Books } from './books.ts';
import { guaranteeLeft, quotaAllowance } from './quota-headroom.ts';
import type { RoleNode } from './role-tree.ts';
import type { Supply } from './supply.ts';
import type { Units } from './units.ts';

/**
 * What quota leaves to be given, as a cycle asks it: mostly whether it is worth looking closer, for
 * thousands of roles and each agent, so that nothing here makes an object.
 */
export class QuotaView {
  readonly #books: Books;

  constructor(books: Books) {
    this.#books = books;
  }

  /** Whether any role has a quota. */
  get isInForce(): boolean {
    return this.#books.quotas.size > 0;
  }

  /** How much of an unreserved scalar the role may be given. */
  allowance(role: RoleNode, index: number): number {
    const { tree, available } = this.#books;
    return quotaAllowance(role, tree.root, available, index);
  }

  /** Whether the supply has anything of what the role's guarantees still lack. */
  isProgress(role: RoleNode, { open }: Supply): boolean {
    for (let index = 0; index < open.length; index += 1) {
      if ((open[index] ?? 0) > 0 && guaranteeLeft(role, index) > 0) return true;
    }
    return false;
  }

  /** Whether quota lets the role have at least one of the minimums of the supply. */
  canReach(role: RoleNode, minimums: readonly Units[], supply: Supply): boolean {
    if (minimums.length === 0) return true;
    for (const minimum of minimums) if (this.#canHave(role, minimum, supply)) return true;
    return false;
  }

  /** Whether limits of the role itself let nobody in it have anything unreserved. */
  isCapped(role: RoleNode): boolean {
    if (role.limits.length === 0 || this.#books.hasManyMinimums) return false;
    if (role.cappedAt === role.changes) return role.isCapped;
    role.isCapped = true;
    for (const minimums of this.#books.minimums.values()) {
      if (isWithinLimits(role, minimums)) role.isCapped = false;
    }
    role.cappedAt = role.changes;
    return role.isCapped;
  }

  /** Whether what no guarantee needs is enough for anybody's minimum, of this supply. */
  hasSurplus({ open }: Supply): boolean {
    if (this.#books.hasManyMinimums) return true;
    for (const minimums of this.#books.minimums.values()) {
      if (minimums.length === 0) return true;
      for (const minimum of minimums) if (this.#isInSurplus(minimum, open)) return true;
    }
    return false;
  }

  #isInSurplus(minimum: Units, open: Units): boolean {
    const { tree, available } = this.#books;
    for (let index = 0; index < minimum.length; index += 1) {
      const least = minimum[index] ?? 0;
      const required = tree.root.required[index] ?? 0;
      const free = open[index] ?? 0;
      const surplus = required > 0 ? (available[index] ?? 0) - required : free;
      if (least > 0 && Math.min(free, surplus) < least) return false;
    }
    return true;
  }

  #canHave(role: RoleNode, minimum: Units, { units, open }: Supply): boolean {
    for (let index = 0; index < minimum.length; index += 1) {
      const least = minimum[index] ?? 0;
      const unreserved = open[index] ?? 0;
      const reserved = (units[index] ?? 0) - unreserved;
      if (least <= reserved) continue;
      if (unreserved + reserved < least) return false;
      if (Math.min(unreserved, this.allowance(role, index)) + reserved < least) return false;
    }
    return true;
  }
}

function isWithinLimits({ limits, consumed }: RoleNode, minimums: readonly Units[]): boolean {
  if (minimums.length === 0) return true;
  return minimums.some((minimum) =>
    minimum.every((least, index) => {
      const limit = limits[index];
      return least <= 0 || limit === undefined || limit - (consumed[index] ?? 0) >= least;
    }),
  );
}
