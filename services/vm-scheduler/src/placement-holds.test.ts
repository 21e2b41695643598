import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALONE, place } from './placement.ts';
import { type Amounts, fits, minus, NOTHING, plus } from './placement-amounts.ts';
import type { AgentOffer, PlacementRequest } from './placement-eligibility.ts';
import {
  addHolds,
  HOLD_AFTER_MS,
  HOLD_MAX_MS,
  HOLD_PAUSE_MS,
  NO_HOLDS,
  releaseHolds,
} from './placement-holds.ts';

const cpus = (count: number): Amounts => ({ cpus: count, memoryMiB: count * 100, diskMiB: 0 });

interface Machine {
  readonly vmId: string;
  readonly need: Amounts;
  readonly sinceMs: number;
}

/** A small cluster on which machines come and go; each step is one round of placement. */
class Cluster {
  nowMs = 0;
  holds = NO_HOLDS;
  waiting: Machine[] = [];
  running: (Machine & { readonly agentId: string; readonly endMs: number })[] = [];
  readonly placedAtMs = new Map<string, number>();
  readonly #agents: readonly { readonly agentId: string; readonly total: Amounts }[];

  constructor(sizes: readonly number[]) {
    this.#agents = sizes.map((size, index) => ({ agentId: `a${index}`, total: cpus(size) }));
  }

  ask(vmId: string, size: number): void {
    this.waiting.push({ vmId, need: cpus(size), sinceMs: this.nowMs });
  }

  round(lifeMs: number): void {
    this.running = this.running.filter(({ endMs }) => endMs > this.nowMs);
    const requests = this.waiting.map(
      ({ vmId, need }): PlacementRequest => ({ vmId, need, boundAgentId: null }),
    );
    const holders = new Set(requests.map(({ vmId }) => vmId));
    this.holds = releaseHolds(this.holds, holders, () => false, this.nowMs);
    const { agentOf, unplaced, left } = place(requests, this.#offers(), NOTHING);
    const placed = this.waiting.filter(({ vmId }) => agentOf.has(vmId));
    const since = new Map(this.waiting.map(({ vmId, sinceMs }) => [vmId, sinceMs]));
    const view = {
      waiters: unplaced.map((unit) => ({
        ...unit,
        waitingSinceMs: since.get(unit.head.vmId) ?? 0,
      })),
      youngestPlacedSinceMs:
        placed.length === 0 ? undefined : Math.max(...placed.map(({ sinceMs }) => sinceMs)),
      agents: left,
      agentCount: this.#agents.length,
      membersOf: ALONE.membersOf,
      executorNeed: NOTHING,
    };
    this.holds = addHolds(this.holds, view, this.nowMs);
    for (const machine of placed) {
      const agentId = agentOf.get(machine.vmId) ?? '';
      this.running.push({ ...machine, agentId, endMs: this.nowMs + lifeMs });
      this.placedAtMs.set(machine.vmId, this.nowMs);
    }
    this.waiting = this.waiting.filter(({ vmId }) => !agentOf.has(vmId));
  }

  #offers(): AgentOffer[] {
    return this.#agents.map(({ agentId, total }) => {
      const used = this.running
        .filter((machine) => machine.agentId === agentId)
        .map(({ need }) => need)
        .reduce(plus, NOTHING);
      const hold = this.holds.holds.find((each) => each.agentId === agentId);
      return {
        ...{ agentId, hostName: agentId, free: minus(total, used), used, hasExecutor: true },
        hold: hold && { holder: hold.holder, need: hold.need, leaving: NOTHING },
      };
    });
  }
}

const STEP_MS = 5_000;
const LIFE_MS = 60_000;

/** Runs a cluster that small machines keep full, and gives how long a wide one waited in it. */
function waitOfWide(agents: readonly number[], small: readonly number[]): number {
  const cluster = new Cluster(agents);
  for (let step = 0; step < 250 && !cluster.placedAtMs.has('wide'); step += 1) {
    cluster.nowMs = step * STEP_MS;
    for (let n = 0; cluster.waiting.length < 2 * agents.length; n += 1) {
      cluster.ask(`small-${step}-${n}`, small[(step + n) % small.length] ?? 1);
    }
    if (step === 5) cluster.ask('wide', Math.max(...agents));
    cluster.round(LIFE_MS);
    expect(cluster.holds.holds.length).toBeLessThanOrEqual(Math.max(1, agents.length / 4));
  }
  return (cluster.placedAtMs.get('wide') ?? Number.POSITIVE_INFINITY) - 5 * STEP_MS;
}

describe('room for wide VMs', () => {
  it('is found in bounded time, although small ones keep all agents full', () => {
    const sizes = fc.array(fc.integer({ min: 4, max: 8 }), { minLength: 1, maxLength: 4 });
    const small = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 8, maxLength: 40 });
    fc.assert(
      fc.property(sizes, small, (agents, sizesOfSmall) => {
        // It may be overtaken for a minute; then it, and each that waited before it, waits for one
        // life of what runs where room is held.
        const older = 2 * agents.length;
        const limitMs = HOLD_AFTER_MS + (older + 3) * LIFE_MS;
        expect(waitOfWide(agents, sizesOfSmall)).toBeLessThanOrEqual(limitMs);
      }),
      { numRuns: 30 },
    );
  });

  it('is held no longer than the limit, and not again at once: nobody is locked out for ever', () => {
    const need = cpus(8);
    const waiter = {
      ...{ holder: 'wide', need, waitingSinceMs: 0 },
      requests: [{ vmId: 'wide', need, boundAgentId: null }],
    };
    const agent = { agentId: 'a', hostName: 'a', free: cpus(1), used: cpus(7), hasExecutor: true };
    const view = {
      ...{ waiters: [waiter], agents: [agent], agentCount: 1, executorNeed: NOTHING },
      ...{ youngestPlacedSinceMs: 1, membersOf: ALONE.membersOf },
    };
    const holders = new Set(['wide']);
    const open = () => false;
    const held = addHolds(NO_HOLDS, view, HOLD_AFTER_MS);
    expect(held.holds).toMatchObject([{ holder: 'wide', agentId: 'a' }]);
    expect(releaseHolds(held, holders, open, HOLD_AFTER_MS + HOLD_MAX_MS - 1).holds).toHaveLength(
      1,
    );
    const endMs = HOLD_AFTER_MS + HOLD_MAX_MS;
    const ended = releaseHolds(held, holders, open, endMs);
    expect(ended.holds).toEqual([]);
    expect(addHolds(ended, view, endMs + 1).holds).toEqual([]);
    const rested = releaseHolds(ended, holders, open, endMs + HOLD_PAUSE_MS);
    expect(addHolds(rested, view, endMs + HOLD_PAUSE_MS).holds).toHaveLength(1);
    expect(releaseHolds(held, new Set(), open, HOLD_AFTER_MS)).toEqual(NO_HOLDS);
    expect(releaseHolds(held, holders, () => true, HOLD_AFTER_MS).holds).toEqual([]);
  });

  it('is held only where it could ever be, once an agent and once a holder', () => {
    const sizes = fc.array(fc.tuple(fc.nat({ max: 8 }), fc.nat({ max: 8 })), { maxLength: 12 });
    const needs = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 12 });
    fc.assert(
      fc.property(sizes, needs, (agents, wanted) => {
        const offers = agents.map(([free, used], index) => ({
          ...{ agentId: `a${index}`, hostName: '', hasExecutor: true },
          ...{ free: cpus(free), used: cpus(used) },
        }));
        const waiters = wanted.map((size, index) => ({
          ...{ holder: `vm-${index}`, need: cpus(size), waitingSinceMs: 0 },
          requests: [{ vmId: `vm-${index}`, need: cpus(size), boundAgentId: null }],
        }));
        const { holds } = addHolds(
          NO_HOLDS,
          {
            ...{ waiters, agents: offers, agentCount: offers.length, executorNeed: NOTHING },
            ...{ youngestPlacedSinceMs: 1, membersOf: ALONE.membersOf },
          },
          HOLD_AFTER_MS,
        );
        expect(new Set(holds.map(({ agentId }) => agentId)).size).toBe(holds.length);
        expect(new Set(holds.map(({ holder }) => holder)).size).toBe(holds.length);
        expect(holds.length).toBeLessThanOrEqual(Math.max(1, offers.length / 4));
        for (const { agentId, need } of holds) {
          const offer = offers.find((each) => each.agentId === agentId);
          expect(offer !== undefined && fits(need, plus(offer.free, offer.used))).toBe(true);
        }
      }),
    );
  });
});
