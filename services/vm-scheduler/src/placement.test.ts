import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXECUTOR_NEED } from './offers.ts';
import { place } from './placement.ts';
import { needOf } from './placement-amounts.ts';
import type { AgentOffer, PlacementRequest } from './placement-eligibility.ts';
import { sampleAssignment } from './testing/samples.ts';

const amounts = (cpusMax: number, memoryMax: number, diskMax: number) =>
  fc.record({
    cpus: fc.integer({ min: 1, max: cpusMax * 10 }).map((tenths) => tenths / 10),
    memoryMiB: fc.integer({ min: 64, max: memoryMax }),
    diskMiB: fc.integer({ min: 0, max: diskMax }),
  });

const agents = fc
  .array(fc.record({ free: amounts(8, 4_096, 10_000), hasExecutor: fc.boolean() }), {
    maxLength: 5,
  })
  .map((all): AgentOffer[] =>
    all.map((each, index) => ({ ...each, agentId: `agent-${index}`, hostName: `host-${index}` })),
  );

const requests = fc
  .array(fc.record({ need: amounts(4, 2_048, 4_000), bound: fc.option(fc.nat({ max: 6 })) }), {
    maxLength: 12,
  })
  .map((all): PlacementRequest[] =>
    all.map(({ need, bound }, index) => ({
      vmId: `vm-${index}`,
      need,
      boundAgentId: bound === null ? null : `agent-${bound}`,
    })),
  );

const KINDS = ['cpus', 'memoryMiB', 'diskMiB'] as const;

describe('placement', () => {
  it('never gives out more than an agent has, its executor included', () => {
    fc.assert(
      fc.property(requests, agents, (wanted, offers) => {
        const { agentOf } = place(wanted, offers, EXECUTOR_NEED);
        for (const { agentId, free, hasExecutor } of offers) {
          const guests = wanted.filter(({ vmId }) => agentOf.get(vmId) === agentId);
          if (guests.length === 0) continue;
          for (const kind of KINDS) {
            const executor = hasExecutor ? 0 : EXECUTOR_NEED[kind];
            const taken = guests.reduce((sum, { need }) => sum + need[kind], executor);
            expect(taken).toBeLessThanOrEqual(free[kind] + 1e-6);
          }
        }
      }),
    );
  });

  it('places bound VMs on their agent or not at all, and says of all others why not', () => {
    fc.assert(
      fc.property(requests, agents, (wanted, offers) => {
        const { agentOf, waiting } = place(wanted, offers, EXECUTOR_NEED);
        for (const { vmId, boundAgentId } of wanted) {
          const agentId = agentOf.get(vmId);
          expect(agentId === undefined).toBe(waiting.has(vmId));
          if (boundAgentId !== null && agentId !== undefined) expect(agentId).toBe(boundAgentId);
          if (agentId === undefined) expect(waiting.get(vmId)).toMatch(/\w.*\.$/);
        }
      }),
    );
  });

  it('leaves no VM waiting that still fits somewhere', () => {
    fc.assert(
      fc.property(requests, agents, (wanted, offers) => {
        const { agentOf, waiting } = place(wanted, offers, EXECUTOR_NEED);
        const hasGuests = new Set(agentOf.values());
        for (const { vmId, need, boundAgentId } of wanted) {
          if (!waiting.has(vmId)) continue;
          const fitting = offers.filter(({ agentId, free, hasExecutor }) => {
            if (boundAgentId !== null && boundAgentId !== agentId) return false;
            const guests = wanted.filter((other) => agentOf.get(other.vmId) === agentId);
            return KINDS.every((kind) => {
              const executor = hasExecutor || hasGuests.has(agentId) ? 0 : EXECUTOR_NEED[kind];
              const own = hasExecutor || !hasGuests.has(agentId) ? 0 : EXECUTOR_NEED[kind];
              const taken = guests.reduce((sum, guest) => sum + guest.need[kind], own);
              return need[kind] + executor <= free[kind] - taken - 1e-3;
            });
          });
          expect(fitting).toEqual([]);
        }
      }),
    );
  });

  it('finds the single agent that fits', () => {
    const small = { cpus: 1, memoryMiB: 512, diskMiB: 1_000 };
    const big = { cpus: 8, memoryMiB: 8_192, diskMiB: 9_000 };
    const offers = ['a', 'b', 'c'].map((agentId) => ({
      agentId,
      hostName: agentId,
      free: agentId === 'b' ? big : small,
      hasExecutor: false,
    }));
    const need = { cpus: 2, memoryMiB: 1_024, diskMiB: 2_000 };
    const { agentOf } = place([{ vmId: 'v', need, boundAgentId: null }], offers, EXECUTOR_NEED);
    expect(agentOf.get('v')).toBe('b');
  });

  it('spreads a batch evenly over equal agents', () => {
    const free = { cpus: 16, memoryMiB: 16_384, diskMiB: 100_000 };
    const offers = ['a', 'b', 'c', 'd'].map((agentId) => ({
      agentId,
      hostName: agentId,
      free,
      hasExecutor: false,
    }));
    const wanted = Array.from({ length: 20 }, (_, index) => ({
      vmId: `vm-${index}`,
      need: needOf(sampleAssignment(1)),
      boundAgentId: null,
    }));
    const { agentOf } = place(wanted, offers, EXECUTOR_NEED);
    const counts = Object.values(Object.groupBy([...agentOf.values()], (agentId) => agentId));
    expect(counts.map((each) => each?.length)).toEqual([5, 5, 5, 5]);
  });

  it('says what is lacking, with counts', () => {
    const offer = (agentId: string, cpus: number, memoryMiB: number): AgentOffer => ({
      agentId,
      hostName: agentId,
      free: { cpus, memoryMiB, diskMiB: 10_000 },
      hasExecutor: true,
    });
    const need = { cpus: 2, memoryMiB: 1_024, diskMiB: 0 };
    const why = (boundAgentId: string | null, offers: readonly AgentOffer[]) =>
      place([{ vmId: 'v', need, boundAgentId }], offers, EXECUTOR_NEED).waiting.get('v');
    expect(why(null, [offer('a', 1, 512), offer('b', 4, 512)])).toBe(
      '2 agents make offers: 1 lack cpus, 2 lack memory.',
    );
    expect(why(null, [])).toBe('No agent offers anything at present.');
    expect(why('c', [offer('a', 9, 9_999)])).toContain('waiting for that host');
  });

  it('asks for nothing worth naming when a VM is only to be cleaned up', () => {
    const big = sampleAssignment(1, { desired: 'deleted', size: { vcpus: 64, diskGiB: 4_000 } });
    expect(needOf(big)).toEqual({ cpus: 0.01, memoryMiB: 32, diskMiB: 0 });
  });
});
