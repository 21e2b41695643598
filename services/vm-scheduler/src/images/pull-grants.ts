/** A copy of an image to a host that goes on, or waits for a ticket. */
export interface Pull {
  readonly agentId: string;
  readonly version: string;
  readonly waits: boolean;
}

/** A ticket that is given is kept for this long for one whose copy has not begun yet. */
const HELD_MS = 20_000;

export function pullKey({ agentId, version }: Pick<Pull, 'agentId' | 'version'>): string {
  return `${agentId} ${version}`;
}

/**
 * Which of the waiting copies may begin, so that at most `max` go on at a time; `pulls` in the order
 * in which they came, `given` when tickets were given. What goes on holds a ticket, however it came
 * by it; one that was given to who is silent, or has no use for it, is free again. Those that wait
 * although they have a ticket are told again. Pure.
 */
export function grantsFor(
  pulls: readonly Pull[],
  given: ReadonlyMap<string, number>,
  max: number,
  nowMs: number,
): readonly Pull[] {
  const isGiven = (pull: Pull): boolean => {
    const atMs = given.get(pullKey(pull));
    return atMs !== undefined && nowMs - atMs < HELD_MS;
  };
  const waiting = pulls.filter(({ waits }) => waits);
  const told = waiting.filter(isGiven);
  const free = max - (pulls.length - waiting.length) - told.length;
  const fresh = waiting.filter((pull) => !isGiven(pull)).slice(0, Math.max(0, free));
  return [...told, ...fresh];
}
