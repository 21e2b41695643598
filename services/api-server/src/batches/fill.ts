import type { BatchFill, VmState } from '@factory/contracts';

/** When a batch with a fill policy has no deadline of its own: machines don't wait longer either. */
export const FILL_DEADLINE_MS = 30 * 60_000;

/** How much of a batch must be placed, and by when; `deadlineAtMs` null: as long as machines wait. */
export interface FillTerms {
  readonly fill: BatchFill;
  readonly deadlineAtMs: number | null;
}

/** How a batch stands, in machines, or in cores where cores were asked for. */
export interface FillCounts {
  /** Without what its owner has deleted since. */
  readonly asked: number;
  /** On a host, which is making it or has made it. */
  readonly placed: number;
  /** Not on a host yet, and not given up. What is neither placed nor waiting has failed. */
  readonly waiting: number;
}

export type FillDecision =
  | { readonly kind: 'wait' }
  /** The policy is met, and nothing waits. */
  | { readonly kind: 'filled' }
  /** The policy is met: what waits is given up. */
  | { readonly kind: 'take'; readonly reason: string }
  /** It can't be met: everything is released. */
  | { readonly kind: 'release'; readonly reason: string };

/** What becomes of a batch by its fill policy. Pure; once it is not `wait`, it is settled. */
export function decideFill(terms: FillTerms, counts: FillCounts, nowMs: number): FillDecision {
  const { asked, placed, waiting } = counts;
  const isEnough = placed >= neededOf(terms.fill, asked);
  const isDue = terms.deadlineAtMs !== null && nowMs >= terms.deadlineAtMs;
  if (waiting > 0 && !isDue) return { kind: 'wait' };
  const so = `${placed} of ${asked} were placed`;
  if (waiting === 0) {
    if (isEnough) return { kind: 'filled' };
    return { kind: 'release', reason: `Only ${so} and the rest failed; ${wordsOf(terms.fill)}.` };
  }
  if (isEnough) return { kind: 'take', reason: `The deadline came when ${so}.` };
  return { kind: 'release', reason: `Only ${so} by the deadline; ${wordsOf(terms.fill)}.` };
}

/** How much must be placed. */
function neededOf(fill: BatchFill, asked: number): number {
  if (fill === 'all') return asked;
  return fill === 'bestEffort' ? 0 : Math.min(fill.atLeast, asked);
}

function wordsOf(fill: BatchFill): string {
  if (fill === 'all') return 'all were asked for';
  return fill === 'bestEffort' ? 'any number will do' : `at least ${fill.atLeast} were asked for`;
}

/** Machines of a batch in a state, in machines or in cores. */
export interface FillTally {
  readonly state: VmState;
  /** Wished away. */
  readonly isWithdrawn: boolean;
  readonly units: number;
}

/** How a batch of so many machines or cores stands by what its machines do. Pure. */
export function countFill(
  total: number,
  needsPlanning: boolean,
  tallies: readonly FillTally[],
): FillCounts {
  const sum = (isMeant: (tally: FillTally) => boolean): number =>
    tallies.filter(isMeant).reduce((all, { units }) => all + units, 0);
  const planned = sum(() => true);
  // What the shapes can't make up is planned by nobody.
  const unplanned = needsPlanning ? Math.max(0, total - planned) : 0;
  const waits = ({ state, isWithdrawn }: FillTally): boolean =>
    !isWithdrawn && WAITING_STATES.includes(state);
  return {
    asked: Math.max(total, planned) - sum(({ isWithdrawn }) => isWithdrawn),
    placed: sum((each) => !each.isWithdrawn && !waits(each) && each.state !== 'failed'),
    waiting: sum(waits) + unplanned,
  };
}

/** On no host yet, for all that is known. */
export const WAITING_STATES: readonly VmState[] = ['pending', 'scheduled', 'launching'];
