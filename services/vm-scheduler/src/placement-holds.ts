import { type Amounts, fits, plus } from './placement-amounts.ts';
import {
  type AgentOffer,
  type MembersOf,
  obstacleFor,
  type PlacementRequest,
} from './placement-eligibility.ts';

/** Who has waited this long, in ms, and is overtaken by others, gets room held. */
export const HOLD_AFTER_MS = 60_000;
/** No room is held longer than this, in ms. */
export const HOLD_MAX_MS = 10 * 60_000;
/** After that its holder waits this long, in ms, before room is held for it again. */
export const HOLD_PAUSE_MS = 10 * 60_000;
/** Agents of which one may be held; of fewer, one. */
const AGENTS_PER_HOLD = 4;

/** Room held at one agent for one VM, or one group that must be on one host. */
export interface Hold {
  readonly holder: string;
  readonly agentId: string;
  readonly need: Amounts;
  readonly sinceMs: number;
}

/** All holds: at most one a holder, and one an agent. Immutable. */
export interface Holds {
  readonly holds: readonly Hold[];
  /** Holders whose time was up, and until when they have to wait. */
  readonly pausedUntilMs: ReadonlyMap<string, number>;
}

export const NO_HOLDS: Holds = { holds: [], pausedUntilMs: new Map() };

/** One that found no place: a VM, or a whole group. */
export interface Waiter {
  readonly holder: string;
  readonly requests: readonly PlacementRequest[];
  readonly need: Amounts;
  readonly waitingSinceMs: number;
}

/** Ends holds whose holder waits no more, whose agent is closed, and whose time is up. Pure. */
export function releaseHolds(
  { holds, pausedUntilMs }: Holds,
  waitingHolders: ReadonlySet<string>,
  isClosed: (agentId: string) => boolean,
  nowMs: number,
): Holds {
  const wanted = holds.filter((each) => waitingHolders.has(each.holder) && !isClosed(each.agentId));
  const kept = wanted.filter((each) => nowMs - each.sinceMs < HOLD_MAX_MS);
  const paused = new Map(
    [...pausedUntilMs].filter(([holder, untilMs]) => untilMs > nowMs && waitingHolders.has(holder)),
  );
  for (const { holder } of wanted.filter((each) => !kept.includes(each))) {
    paused.set(holder, nowMs + HOLD_PAUSE_MS);
  }
  return { holds: kept, pausedUntilMs: paused };
}

/** What new holds depend on, after a placement. */
export interface HoldView {
  /** Those without a place. */
  readonly waiters: readonly Waiter[];
  /** Since when the youngest waited that got a place; `undefined` when none did. */
  readonly youngestPlacedSinceMs: number | undefined;
  /** All agents that make offers, as they are after the placement. */
  readonly agents: readonly AgentOffer[];
  readonly agentCount: number;
  readonly membersOf: MembersOf;
  readonly executorNeed: Amounts;
}

/**
 * Holds room for those who have waited long while younger ones got places: who waits longest first,
 * at the agent that lacks least and could hold it when the factory's own machines there were gone.
 * Whoever fits no agent at all gets none. Pure.
 */
export function addHolds(state: Holds, view: HoldView, nowMs: number): Holds {
  const { youngestPlacedSinceMs, agentCount } = view;
  if (youngestPlacedSinceMs === undefined) return state;
  const holds = [...state.holds];
  const holdsMax = Math.max(1, Math.floor(agentCount / AGENTS_PER_HOLD));
  const overtaken = view.waiters
    .filter(
      ({ holder, waitingSinceMs }) =>
        nowMs - waitingSinceMs >= HOLD_AFTER_MS &&
        waitingSinceMs < youngestPlacedSinceMs &&
        !state.pausedUntilMs.has(holder) &&
        !holds.some((hold) => hold.holder === holder),
    )
    .sort((a, b) => a.waitingSinceMs - b.waitingSinceMs || (a.holder < b.holder ? -1 : 1));
  for (const waiter of overtaken) {
    if (holds.length >= holdsMax) break;
    const held = new Set(holds.map(({ agentId }) => agentId));
    const agentId = bestAgent(waiter, view, held);
    if (agentId === undefined) continue;
    holds.push({ holder: waiter.holder, agentId, need: waiter.need, sinceMs: nowMs });
  }
  return { ...state, holds };
}

function bestAgent(waiter: Waiter, view: HoldView, held: ReadonlySet<string>): string | undefined {
  const candidates = view.agents
    .filter(({ agentId }) => !held.has(agentId))
    .map((offer) => {
      const need = offer.hasExecutor ? waiter.need : plus(waiter.need, view.executorNeed);
      return { offer, need, missing: missingShare(need, offer.free) };
    })
    .filter(({ offer, need }) => couldHold(need, offer))
    .filter(({ offer }) =>
      waiter.requests.every((each) => obstacleFor(each, offer, view.membersOf) === undefined),
    )
    .sort((a, b) => a.missing - b.missing || (a.offer.agentId < b.offer.agentId ? -1 : 1));
  return candidates[0]?.offer.agentId;
}

function couldHold(need: Amounts, { free, used }: AgentOffer): boolean {
  return fits(need, used === undefined ? free : plus(free, used));
}

/** How much of the need is not there, of what is lacking most: 0 to 1. */
function missingShare(need: Amounts, free: Amounts): number {
  const share = (wanted: number, there: number): number =>
    wanted <= there ? 0 : (wanted - there) / wanted;
  return Math.max(
    share(need.cpus, free.cpus),
    share(need.memoryMiB, free.memoryMiB),
    share(need.diskMiB, free.diskMiB),
    ...Object.entries(need.others ?? {}).map(([name, amount]) =>
      share(amount, free.others?.[name] ?? 0),
    ),
  );
}
