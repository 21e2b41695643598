/**
 * Which master to try: the one that leads as far as is known, else each of the configured ones in
 * turn. Pure; what it is told comes back as a new value.
 */
export interface LeaderSearch {
  /** Origins: `http://host:5050`. */
  readonly candidates: readonly string[];
  /** Place in `candidates` of the one to try, unless `redirectedTo` is set. */
  readonly index: number;
  /** The leader as another master named it. It need not be among the candidates. */
  readonly redirectedTo: string | undefined;
}

/** @throws RangeError when there is no candidate; TypeError when one is not a URL. */
export function startLeaderSearch(masters: readonly string[]): LeaderSearch {
  if (masters.length === 0) throw new RangeError('At least one master URL is needed');
  const candidates = masters.map((master) => new URL(master).origin);
  return { candidates, index: 0, redirectedTo: undefined };
}

/** The origin to try now. */
export function currentMaster(search: LeaderSearch): string {
  return search.redirectedTo ?? search.candidates[search.index] ?? '';
}

/**
 * The current master pointed to another. Mesos' Location has no scheme, `//host:5050`; the current
 * one's is kept then. A Location that is no address counts as a failure.
 */
export function afterRedirect(search: LeaderSearch, location: string | undefined): LeaderSearch {
  const current = currentMaster(search);
  if (location === undefined || !URL.canParse(location, current)) return afterFailure(search);
  const { origin } = new URL(location, current);
  return origin === current ? afterFailure(search) : { ...search, redirectedTo: origin };
}

/** The current master is dead or of no use: the next candidate's turn. */
export function afterFailure(search: LeaderSearch): LeaderSearch {
  const index = (search.index + 1) % search.candidates.length;
  return { ...search, index, redirectedTo: undefined };
}
