import { hardwareKey } from '@factory/contracts';
import { type Amounts, fits, minus, NOTHING, plus } from './placement-amounts.ts';
import {
  type AgentOffer,
  holderOf,
  type MembersOf,
  obstacleFor,
  type PlacementRequest,
} from './placement-eligibility.ts';
import { explainWaiting, type Verdict } from './placement-reasons.ts';

export interface Placement {
  /** Agent of each VM that got a place. */
  readonly agentOf: ReadonlyMap<string, string>;
  /** Why each of the others did not, in words with counts. */
  readonly waiting: ReadonlyMap<string, string>;
  /** Those of `waiting`, as they would be placed. */
  readonly unplaced: readonly Unit[];
  /** The offers as they are afterwards. */
  readonly left: readonly AgentOffer[];
}

/** What a placement depends on beside the offers. */
export interface Surroundings {
  readonly membersOf: MembersOf;
  /** Agents that offered something a moment ago, as they were then: reasons count them too. */
  readonly recent: readonly AgentOffer[];
  /** Known agents that make no offer, now or a moment ago. */
  readonly silentAgents: number;
}

const NO_MEMBERS: ReadonlyMap<string, number> = new Map();
export const ALONE: Surroundings = {
  membersOf: () => NO_MEMBERS,
  recent: [],
  silentAgents: 0,
};

/** An image that is there is worth this share of a host's room. */
const WARM_BONUS = 0.25;
/** Hosts with graphics cards are left to those who need them while others have room. */
const CARDS_MALUS = 2;
const NO_WAY = Number.NEGATIVE_INFINITY;

/**
 * Who goes where. Bound VMs first: their place is the only one. Then those for whom room is held,
 * then the biggest (it has the fewest places), each to the agent that keeps the largest share of
 * its cores and memory free (or, to pack, the smallest), where an agent that has the image counts
 * as emptier than it is. A group that must be on one host is placed as one, or not at all. Pure,
 * and in proportion to VMs times agents at most.
 */
export function place(
  requests: readonly PlacementRequest[],
  offers: readonly AgentOffer[],
  executorNeed: Amounts,
  around: Surroundings = ALONE,
): Placement {
  const board = new Board(offers, executorNeed, around);
  const units = toUnits(requests, around.membersOf);
  const holders = new Set(offers.flatMap(({ hold }) => hold?.holder ?? []));
  for (const unit of units) unit.isHolder = holders.has(unit.holder);
  units.sort(byUrgency);
  const unplaced = units.filter((unit) => !board.seat(unit));
  const waiting = new Map(
    unplaced.flatMap((unit) => {
      const why = board.explain(unit);
      return unit.requests.map(({ vmId }) => [vmId, why] as const);
    }),
  );
  return { agentOf: board.agentOf, waiting, unplaced, left: board.left() };
}

/** VMs that are placed together: one, or a whole group that has no host yet. */
export interface Unit {
  readonly requests: readonly PlacementRequest[];
  /** The first of them speaks for all, but for requirements. */
  readonly head: PlacementRequest;
  readonly need: Amounts;
  readonly holder: string;
  isHolder: boolean;
}

function toUnits(requests: readonly PlacementRequest[], membersOf: MembersOf): Unit[] {
  const units: Unit[] = [];
  const together = new Map<string, PlacementRequest[]>();
  for (const request of requests) {
    const { group, boundAgentId } = request;
    const isNewGroup = group?.rule === 'affinity' && membersOf(group.key).size === 0;
    if (boundAgentId === null && isNewGroup) {
      const sameGroup = together.get(group.key);
      if (sameGroup === undefined) together.set(group.key, [request]);
      else sameGroup.push(request);
    } else units.push(toUnit([request], request));
  }
  for (const members of together.values()) {
    const [head] = members;
    if (head !== undefined) units.push(toUnit(members, head));
  }
  return units;
}

function toUnit(requests: readonly PlacementRequest[], head: PlacementRequest): Unit {
  const need =
    requests.length === 1 ? head.need : requests.map((each) => each.need).reduce(plus, NOTHING);
  return { requests, head, need, holder: holderOf(head), isHolder: false };
}

function byUrgency(a: Unit, b: Unit): number {
  return (
    Number(b.head.boundAgentId !== null) - Number(a.head.boundAgentId !== null) ||
    Number(b.isHolder) - Number(a.isHolder) ||
    b.need.memoryMiB - a.need.memoryMiB ||
    b.need.cpus - a.need.cpus
  );
}

/** An agent while places are given away. */
interface Seat {
  readonly offer: AgentOffer;
  readonly totalCpus: number;
  readonly totalMemoryMiB: number;
  free: Amounts;
  used: Amounts;
  hasExecutor: boolean;
  launchesLeft: number;
  /** Groups of which a member was placed here just now. */
  readonly groups: Set<string>;
  /** Counts what was placed here: scores of before are void. */
  version: number;
}

/** A seat as VMs of one kind see it; `score` holds while the seat has this `version`. */
interface Choice {
  readonly seat: Seat;
  version: number;
  score: number;
}

/** VMs that are alike in all that counts: what holds for one holds for all. */
interface Kind {
  /** Without obstacles, by agent id. */
  readonly choices: readonly Choice[];
  /** Room only gets less: where one found no place, none of its kind does. */
  isHopeless: boolean;
  reason: string | undefined;
}

class Board {
  readonly agentOf = new Map<string, string>();
  readonly #seats: ReadonlyMap<string, Seat>;
  readonly #kinds = new Map<string, Kind>();
  readonly #executorNeed: Amounts;
  readonly #around: Surroundings;

  constructor(offers: readonly AgentOffer[], executorNeed: Amounts, around: Surroundings) {
    this.#seats = new Map(offers.map((offer) => [offer.agentId, toSeat(offer)]));
    this.#executorNeed = executorNeed;
    this.#around = around;
  }

  /** Gives the unit a place; `false` when there is none. */
  seat(unit: Unit): boolean {
    const { boundAgentId } = unit.head;
    if (boundAgentId !== null) {
      const seat = this.#seats.get(boundAgentId);
      if (seat === undefined || !this.#hasRoom(unit.need, seat)) return false;
      this.#take(unit, seat);
      return true;
    }
    const kind = this.#kindOf(unit);
    const best = kind.isHopeless ? undefined : this.#best(unit, kind);
    if (best === undefined) {
      kind.isHopeless = true;
      return false;
    }
    this.#take(unit, best);
    return true;
  }

  /** Why the unit has no place. */
  explain(unit: Unit): string {
    const { boundAgentId } = unit.head;
    const { silentAgents, recent } = this.#around;
    if (boundAgentId !== null) {
      const seat = this.#seats.get(boundAgentId);
      if (seat === undefined) {
        return 'Its disk is on a host that makes no offer at present; waiting for that host.';
      }
      return explainWaiting([this.#roomVerdict(unit, seat)], 0);
    }
    const kind = this.#kindOf(unit);
    if (kind.reason === undefined) {
      const gone = recent.filter(({ agentId }) => !this.#seats.has(agentId)).map(toSeat);
      const verdicts = [...this.#seats.values(), ...gone].map((seat) => this.#verdict(unit, seat));
      const count = unit.requests.length;
      const group = count > 1 ? `Its group of ${count} must be on one host. ` : '';
      kind.reason = group + explainWaiting(verdicts, silentAgents);
    }
    return kind.reason;
  }

  left(): readonly AgentOffer[] {
    return [...this.#seats.values()].map(({ offer, free, used, hasExecutor }) => ({
      ...offer,
      free,
      used,
      hasExecutor,
    }));
  }

  #kindOf(unit: Unit): Kind {
    const key = kindKey(unit);
    const known = this.#kinds.get(key);
    if (known !== undefined) return known;
    const { membersOf } = this.#around;
    const choices = [...this.#seats.values()]
      .filter((seat) =>
        unit.requests.every((each) => obstacleFor(each, seat.offer, membersOf) === undefined),
      )
      .sort((a, b) => (a.offer.agentId < b.offer.agentId ? -1 : 1))
      .map((seat): Choice => ({ seat, version: -1, score: NO_WAY }));
    const kind: Kind = { choices, isHopeless: false, reason: undefined };
    this.#kinds.set(key, kind);
    return kind;
  }

  /** The best of all choices; only those are weighed again where something was placed since. */
  #best(unit: Unit, kind: Kind): Seat | undefined {
    let best: Choice | undefined;
    for (const choice of kind.choices) {
      if (choice.version !== choice.seat.version) {
        choice.version = choice.seat.version;
        choice.score = this.#weigh(unit, choice.seat);
      }
      if (choice.score > (best?.score ?? NO_WAY)) best = choice;
    }
    return best?.seat;
  }

  #weigh(unit: Unit, seat: Seat): number {
    const isOpen = this.#hasRoom(unit.need, seat) && this.#takenBy(unit, seat) === undefined;
    return isOpen ? scoreOf(unit, seat) : NO_WAY;
  }

  #hasRoom(need: Amounts, seat: Seat): boolean {
    return fits(seat.hasExecutor ? need : plus(need, this.#executorNeed), seat.free);
  }

  /** Whether others stand in the way: of its group, on probation, or those for whom it is held. */
  #takenBy(unit: Unit, seat: Seat): Verdict | undefined {
    if (seat.launchesLeft < unit.requests.length) return { kind: 'probation' };
    const { group } = unit.head;
    if (group?.rule === 'anti-affinity' && seat.groups.has(group.key)) {
      return { kind: 'anti-affinity' };
    }
    return delaysHolder(unit, seat) ? { kind: 'held' } : undefined;
  }

  #verdict(unit: Unit, seat: Seat): Verdict {
    const { membersOf } = this.#around;
    for (const request of unit.requests) {
      const obstacle = obstacleFor(request, seat.offer, membersOf);
      if (obstacle !== undefined) return obstacle;
    }
    const room = this.#roomVerdict(unit, seat);
    if (!fits(room.need, room.free)) return room;
    return this.#takenBy(unit, seat) ?? room;
  }

  #roomVerdict(unit: Unit, seat: Seat) {
    const need = seat.hasExecutor ? unit.need : plus(unit.need, this.#executorNeed);
    return { kind: 'room' as const, need, free: seat.free };
  }

  #take(unit: Unit, seat: Seat): void {
    const taken = seat.hasExecutor ? unit.need : plus(unit.need, this.#executorNeed);
    seat.free = minus(seat.free, taken);
    seat.used = plus(seat.used, unit.need);
    seat.hasExecutor = true;
    seat.version += 1;
    seat.launchesLeft -= unit.requests.length;
    if (unit.head.group !== undefined) seat.groups.add(unit.head.group.key);
    for (const { vmId } of unit.requests) this.agentOf.set(vmId, seat.offer.agentId);
  }
}

function toSeat(offer: AgentOffer): Seat {
  const total = plus(offer.free, offer.used ?? NOTHING);
  return {
    offer,
    totalCpus: Math.max(1, total.cpus),
    totalMemoryMiB: Math.max(1, total.memoryMiB),
    free: offer.free,
    used: offer.used ?? NOTHING,
    hasExecutor: offer.hasExecutor,
    launchesLeft: offer.launchesMax ?? Number.POSITIVE_INFINITY,
    groups: new Set(),
    version: 0,
  };
}

/**
 * Backfill: where room is held, others may go if it is still enough for the holder once machines
 * that are being removed are gone.
 */
function delaysHolder(unit: Unit, { offer: { hold }, free }: Seat): boolean {
  if (hold === undefined || hold.holder === unit.holder) return false;
  return !fits(hold.need, minus(plus(free, hold.leaving), unit.need));
}

function scoreOf({ head, need }: Unit, seat: Seat): number {
  const cpuShare = (seat.free.cpus - need.cpus) / seat.totalCpus;
  const memoryShare = (seat.free.memoryMiB - need.memoryMiB) / seat.totalMemoryMiB;
  const room = Math.min(cpuShare, memoryShare);
  const isWarm = head.image !== undefined && seat.offer.images?.has(head.image) === true;
  const wastesCards = need.others?.gpus === undefined && (seat.free.others?.gpus ?? 0) > 0;
  return (
    (head.policy === 'pack' ? -room : room) +
    (isWarm ? WARM_BONUS : 0) -
    (wastesCards ? CARDS_MALUS : 0)
  );
}

/** Equal for VMs that are alike. Affinity groups are of a kind of their own. */
function kindKey({ head, need, requests, isHolder }: Unit): string {
  const { requirements, hardware, group, policy, image } = head;
  const rules = requirements === undefined ? '' : JSON.stringify(requirements);
  const others = need.others === undefined ? '' : JSON.stringify(need.others);
  const size = `${need.cpus} ${need.memoryMiB} ${need.diskMiB} ${others}`;
  return `${isHolder} ${requests.length} ${size} ${policy} ${image} ${group?.key} ${hardwareKey(hardware)} ${rules}`;
}
