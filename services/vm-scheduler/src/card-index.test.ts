import type { SubnetId } from '@factory/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CardIndex, cardsOf, peersOf } from './card-index.ts';
import { sampleAssignment } from './testing/samples.ts';
import { newVmRecord, type VmRecord } from './vm-record.ts';

const subnetNumber = (n: number): SubnetId => `sub_${String(n).padStart(32, '0')}` as SubnetId;

/** VM `n` on agent `agent` (none: null), with a card in each of these subnets. */
function recordOf(n: number, agent: number | null, subnets: readonly number[] = [1]): VmRecord {
  const record = newVmRecord(sampleAssignment(n), 5);
  const [first = 1, ...others] = subnets;
  const cardIn = (subnet: number) => ({
    ...record.assignment.spec.network,
    subnetId: subnetNumber(subnet),
    vni: subnet,
    macAddress: `52:54:00:00:${String(subnet).padStart(2, '0')}:${String(n).padStart(2, '0')}`,
  });
  const spec = {
    ...record.assignment.spec,
    network: cardIn(first),
    nics: others.map(cardIn),
  };
  const assignment = { ...record.assignment, spec };
  if (agent === null) return { ...record, assignment };
  const boundAgentId = `agent-${agent}`;
  return { ...record, assignment, boundAgentId, tunnelAddress: `192.0.2.${agent}` };
}

describe('the cards of a record', () => {
  it('count from its launch until nothing of it is left', () => {
    expect(cardsOf(recordOf(1, 1, [1, 2]))).toHaveLength(2);
    expect(cardsOf(recordOf(1, null))).toEqual([]);
  });

  it('are of no other host where it has no tunnels, or the subnet no number', () => {
    expect(cardsOf({ ...recordOf(1, 1), tunnelAddress: null })).toEqual([]);
    const { assignment, ...rest } = recordOf(1, 1);
    const { vni: _, ...network } = assignment.spec.network;
    const spec = { ...assignment.spec, network };
    expect(cardsOf({ ...rest, assignment: { ...assignment, spec } })).toEqual([]);
  });
});

describe('an index of cards', () => {
  it('tells both hosts of a subnet of each other, and a host of no other subnet', () => {
    const index = new CardIndex();
    for (const record of [recordOf(1, 1), recordOf(2, 2), recordOf(3, 3, [7])]) {
      index.change(undefined, record);
    }
    expect([...index.takeChanged()].sort()).toEqual(['agent-1', 'agent-2', 'agent-3']);
    const subnets = index.peersOfAgent('agent-1');
    expect(subnets).toMatchObject([
      { peers: [{ tunnelAddress: '192.0.2.1' }, { tunnelAddress: '192.0.2.2' }] },
    ]);
    expect(index.versionOf('agent-2').digest).toBe(index.versionOf('agent-1').digest);
    expect(index.peersOfAgent('agent-3')).toHaveLength(1);
  });

  it('tells those who stay when a machine has moved or gone', () => {
    const index = new CardIndex();
    index.change(undefined, recordOf(1, 1));
    index.change(undefined, recordOf(2, 2));
    index.takeChanged();
    index.change(recordOf(2, 2), recordOf(2, 3));
    expect([...index.takeChanged()].sort()).toEqual(['agent-1', 'agent-3']);
    index.change(recordOf(2, 3), recordOf(2, null));
    expect(index.takeChanged()).toEqual(['agent-1']);
    expect(index.peersOfAgent('agent-3')).toEqual([]);
    expect(index.versionOf('agent-3').digest).toBe('');
  });

  it('says after any changes what a look at all records says', () => {
    const agent = fc.option(fc.integer({ min: 1, max: 4 }));
    const subnets = fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1 });
    const change = fc.record({ n: fc.integer({ min: 1, max: 6 }), agent, subnets });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const index = new CardIndex();
        const records = new Map<number, VmRecord>();
        for (const { n, agent: at, subnets: of } of changes) {
          const next = recordOf(n, at, of);
          index.change(records.get(n), next);
          records.set(n, next);
        }
        const cards = [...records.values()].flatMap(cardsOf);
        for (const number of [1, 2, 3, 4]) {
          const own = cards.filter(({ agentId }) => agentId === `agent-${number}`);
          const ids = [...new Set(own.map(({ subnetId }) => subnetId))].sort();
          const expected = ids.map((id) =>
            peersOf(
              id,
              cards.filter(({ subnetId }) => subnetId === id),
            ),
          );
          expect(index.peersOfAgent(`agent-${number}`)).toEqual(expected);
        }
      }),
    );
  });
});
