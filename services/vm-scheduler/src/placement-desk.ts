import type { Clock } from '@factory/runtime';
import type { Offer } from 'mesos-core/protocol';
import { AgentHealthBook, type Standing } from './agent-health.ts';
import { withExternalNeed, withExternals } from './external-addresses.ts';
import { EXECUTOR_NEED, toAgentOffer } from './offers.ts';
import { type Placement, place } from './placement.ts';
import { type Amounts, minus, NOTHING, needOf, plus } from './placement-amounts.ts';
import {
  type AgentHold,
  type AgentOffer,
  holderOf,
  type PlacementRequest,
} from './placement-eligibility.ts';
import { membershipOf } from './placement-groups.ts';
import { addHolds, type Hold, NO_HOLDS, releaseHolds } from './placement-holds.ts';
import type { SchedulerState } from './state.ts';
import { isMissing, type VmRecord, vmIdOf } from './vm-record.ts';

/** Offers come again after a few seconds; what was offered this long ago, in ms, still counts. */
const RECENT_MS = 12_000;
/** An agent that offered nothing for this long, in ms, is no longer known. */
const KNOWN_MS = 60 * 60_000;

/** What is remembered of an agent's last offer. */
interface SeenAgent {
  readonly offer: AgentOffer;
  readonly atMs: number;
}

/** How an agent looks to placement, for people. */
export interface AgentView {
  readonly agentId: string;
  readonly hostName: string;
  readonly standing: Standing;
  readonly failures: number;
  readonly lastFailure: string | null;
  readonly quarantineLeftMs: number | null;
  readonly heldFor: string | null;
  readonly offeredMsAgo: number | null;
}

/**
 * What placement remembers from round to round: which agents there are, how their launches went,
 * and for whom room is held. The decisions themselves are pure and elsewhere. All of it may be lost
 * with the process: it is found out again.
 */
export class PlacementDesk {
  readonly #state: SchedulerState;
  readonly #clock: Clock;
  readonly #health = new AgentHealthBook();
  readonly #seen = new Map<string, SeenAgent>();
  readonly #images = new Map<string, ReadonlySet<string>>();
  #holds = NO_HOLDS;

  constructor(state: SchedulerState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
    state.watch((before, after) =>
      this.#health.note(before, after, clock.monotonicMs(), () => this.#knownCount()),
    );
  }

  /** Images, by version or name, that an agent has; replaces what it had. */
  noteImages(agentId: string, images: Iterable<string>): void {
    this.#images.set(agentId, new Set(images));
  }

  /** Nobody knows whether these launches went out: if they failed, it was not their agents. */
  excuse(records: readonly VmRecord[]): void {
    this.#health.excuse(records);
  }

  /** Whether what an agent offers is kept for one that waits. */
  isHeld(agentId: string): boolean {
    return this.#holds.holds.some((hold) => hold.agentId === agentId);
  }

  /** Finds places on these offers. `claims`: what VMs need that go back to an agent in a moment. */
  place(
    wanting: readonly VmRecord[],
    agents: ReadonlyMap<string, readonly Offer[]>,
    claims: ReadonlyMap<string, Amounts>,
  ): Placement {
    const nowMs = this.#clock.monotonicMs();
    const requests = wanting.map((record) => toRequest(record, agents));
    const holders = new Set(requests.map(holderOf));
    const isClosed = (agentId: string) => this.#health.standing(agentId, nowMs) !== 'good';
    this.#holds = releaseHolds(this.#holds, holders, isClosed, nowMs);
    const offers = [...agents].map(([agentId, ofAgent]) =>
      this.#toOffer(agentId, ofAgent, claims.get(agentId) ?? NOTHING),
    );
    for (const offer of offers) this.#seen.set(offer.agentId, { offer, atMs: nowMs });
    const { membersOf } = this.#state.groups;
    const recent = this.#recent(agents, nowMs);
    const silentAgents = this.#knownCount() - agents.size - recent.length;
    const around = { membersOf, recent, silentAgents };
    const placement = place(requests, offers, EXECUTOR_NEED, around);
    for (const offer of placement.left) {
      this.#seen.set(offer.agentId, { offer: { ...offer, hold: undefined }, atMs: nowMs });
    }
    this.#hold(wanting, placement, [...placement.left, ...recent], nowMs);
    return placement;
  }

  /** All agents that are known, for people. */
  views(): readonly AgentView[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#knownIds()].sort().map((agentId) => {
      const { failures, lastFailure, quarantinedUntilMs } = this.#health.of(agentId);
      const seen = this.#seen.get(agentId);
      const leftMs = quarantinedUntilMs === null ? 0 : quarantinedUntilMs - nowMs;
      const hold = this.#holds.holds.find((each) => each.agentId === agentId);
      return {
        agentId,
        hostName: seen?.offer.hostName ?? agentId,
        standing: this.#health.standing(agentId, nowMs),
        failures,
        lastFailure,
        quarantineLeftMs: leftMs > 0 ? leftMs : null,
        heldFor: hold?.holder ?? null,
        offeredMsAgo: seen === undefined ? null : nowMs - seen.atMs,
      };
    });
  }

  #toOffer(agentId: string, offers: readonly Offer[], claimed: Amounts): AgentOffer {
    const offer = toAgentOffer(agentId, offers, this.#clock.nowMs());
    const standing = this.#health.standing(agentId, this.#clock.monotonicMs());
    const hold = this.#holds.holds.find((each) => each.agentId === agentId);
    return {
      ...offer,
      free: withExternals(
        minus(offer.free, claimed),
        this.#state.externals.freeAt(agentId, offer.attributes),
      ),
      used: this.#state.usedAt(agentId),
      images: this.#images.get(agentId),
      closedBy: standing === 'quarantined' ? 'quarantine' : offer.closedBy,
      launchesMax: standing === 'probation' ? Math.max(0, 1 - this.#makingAt(agentId)) : undefined,
      hold: hold === undefined ? undefined : this.#toAgentHold(hold),
    };
  }

  /** VMs that are being made there: a probation waits for how the first one goes. */
  #makingAt(agentId: string): number {
    const isMade = ({ observation }: VmRecord): boolean =>
      observation !== null && !['preparing', 'starting'].includes(observation.state);
    return this.#state.vmsOfAgent(agentId).filter((record) => !isMade(record)).length;
  }

  #toAgentHold({ holder, need, agentId }: Hold): AgentHold {
    const leaving = this.#state
      .vmsOfAgent(agentId)
      .filter(({ assignment }) => assignment.desired === 'deleted')
      // Its task still takes what it was launched with.
      .map(({ assignment }) => needOf({ ...assignment, desired: 'running' }))
      .reduce(plus, NOTHING);
    return { holder, need, leaving };
  }

  #hold(
    wanting: readonly VmRecord[],
    { agentOf, unplaced }: Placement,
    agents: readonly AgentOffer[],
    nowMs: number,
  ): void {
    const sinceMs = new Map(
      wanting.map((record) => [vmIdOf(record) as string, this.#waitingSince(record, nowMs)]),
    );
    const placed = wanting
      .filter((record) => record.boundAgentId === null && agentOf.has(vmIdOf(record)))
      .map((record) => sinceMs.get(vmIdOf(record)) ?? nowMs);
    const waiters = unplaced
      .filter(({ head }) => head.boundAgentId === null)
      .map(({ holder, requests, need }) => {
        const since = requests.map(({ vmId }) => sinceMs.get(vmId) ?? nowMs);
        return { holder, requests, need, waitingSinceMs: Math.min(...since) };
      });
    const view = {
      waiters,
      youngestPlacedSinceMs: placed.length === 0 ? undefined : Math.max(...placed),
      agents,
      agentCount: this.#knownCount(),
      membersOf: this.#state.groups.membersOf,
      executorNeed: EXECUTOR_NEED,
    };
    this.#holds = addHolds(this.#holds, view, nowMs);
  }

  /** On the monotonic clock. */
  #waitingSince(record: VmRecord, nowMs: number): number {
    return nowMs - (this.#clock.nowMs() - record.phaseSinceMs);
  }

  #recent(agents: ReadonlyMap<string, unknown>, nowMs: number): readonly AgentOffer[] {
    const recent: AgentOffer[] = [];
    for (const [agentId, { offer, atMs }] of this.#seen) {
      if (nowMs - atMs > KNOWN_MS) this.#seen.delete(agentId);
      else if (nowMs - atMs <= RECENT_MS && !agents.has(agentId)) {
        const isQuarantined = this.#health.standing(agentId, nowMs) === 'quarantined';
        recent.push(isQuarantined ? { ...offer, closedBy: 'quarantine' } : offer);
      }
    }
    return recent;
  }

  /** Agents that offered something in the last hour, and those with machines. */
  #knownIds(): ReadonlySet<string> {
    return new Set([...this.#seen.keys(), ...this.#state.agentIds()]);
  }

  #knownCount(): number {
    return this.#knownIds().size;
  }
}

function toRequest(
  record: VmRecord,
  agents: ReadonlyMap<string, readonly Offer[]>,
): PlacementRequest {
  const { assignment } = record;
  const boundAgentId = isMissing(record) ? agentOfHost(record, agents) : record.boundAgentId;
  const { requirements, placement, image, hardware } = assignment.spec;
  return {
    vmId: vmIdOf(record),
    need: withExternalNeed(needOf(assignment), record),
    boundAgentId,
    requirements,
    hardware,
    group: membershipOf(assignment),
    policy: placement,
    image: image.version ?? image.name,
  };
}

/** The agent on the host that a missing VM was on; one that does not exist while it offers nothing. */
function agentOfHost(
  { assignment: { lastHost } }: VmRecord,
  agents: ReadonlyMap<string, readonly Offer[]>,
): string {
  const found = [...agents].find(([, offers]) => offers[0]?.hostname === lastHost);
  return found?.[0] ?? `none on ${lastHost}`;
}
