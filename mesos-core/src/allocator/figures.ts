import type { Quantities } from '../protocol/index.ts';
import type { Books } from './books.ts';
import type { RoleNode } from './role-tree.ts';
import type { Units } from './units.ts';

/** What the allocator knows of a role; the empty path stands for all of them. */
export interface RoleFigures {
  readonly path: string;
  readonly weight: number;
  /** The largest of its parts of the cluster, divided by its weight. */
  readonly dominantShare: number;
  /** What tasks, executors and offers take under it and its descendants. */
  readonly held: Quantities;
  /** What counts against its quota: what is reserved for it, and what else is allocated to it. */
  readonly consumed: Quantities;
  /** Without limits (or guarantees) for what is not named. */
  readonly guarantees: Quantities;
  readonly limits: Quantities;
  /** Refusals of its frameworks, by agent, that may not have expired yet. */
  readonly activeFilters: number;
}

/** The allocator's running accounts: nothing is added up for them but the number of filters. */
export interface AllocatorFigures {
  /** Of all agents. */
  readonly total: Quantities;
  readonly root: RoleFigures;
  readonly roles: readonly RoleFigures[];
}

/** The figures as they are now. */
export function figuresOf({ tree, names }: Books): AllocatorFigures {
  const quantities = (units: Units): Quantities =>
    names.quantitiesOf(units.map((count) => (Number.isFinite(count) ? count : 0)));
  const of = (role: RoleNode): RoleFigures => ({
    path: role.path,
    weight: role.weight,
    dominantShare: role.share,
    held: quantities(role.held),
    consumed: quantities(role.consumed),
    guarantees: quantities(role.guarantees),
    limits: quantities(role.limits),
    activeFilters: [...role.clients].reduce((sum, { refusing }) => sum + refusing.size, 0),
  });
  return {
    total: quantities(tree.total),
    root: of(tree.root),
    roles: [...tree.roles.values()].map(of),
  };
}
