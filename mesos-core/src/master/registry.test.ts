import { describe, expect, it } from 'vitest';
import { newRegistry, type RegisteredAgent, withAgents } from './registry.ts';

const LIMITS = { registryMaxAgentAgeMs: 14 * 24 * 3600 * 1000, registryMaxAgentCount: 10_000 };

describe('agents in the registry', () => {
  const DAY_MS = 24 * 3600 * 1000;
  const agent = (id: string, state: RegisteredAgent['state'], sinceMs: number) => ({
    ...{ id, state, sinceMs, hostname: 'host' },
  });

  it('stand in it once', () => {
    const before = withAgents(newRegistry('m'), [agent('S0', 'admitted', 1)], 1, LIMITS);
    const after = withAgents(before, [agent('S0', 'unreachable', 2)], 2, LIMITS);
    expect(after.agents).toEqual([agent('S0', 'unreachable', 2)]);
  });

  it('are forgotten when they have been away for two weeks, but never while admitted', () => {
    const old = [agent('S0', 'admitted', 0), agent('S1', 'unreachable', 0), agent('S2', 'gone', 0)];
    const before = withAgents(newRegistry('m'), old, 0, LIMITS);
    const ids = (nowMs: number) =>
      withAgents(before, [agent('S3', 'admitted', nowMs)], nowMs, LIMITS).agents.map(
        ({ id }) => id,
      );
    expect(ids(14 * DAY_MS)).toEqual(['S0', 'S1', 'S2', 'S3']);
    expect(ids(14 * DAY_MS + 1)).toEqual(['S0', 'S3']);
  });

  it('that are away are at most ten thousand, the newest', () => {
    const many = Array.from({ length: 10_005 }, (_, index) => agent(`S${index}`, 'gone', 1));
    const { agents } = withAgents(newRegistry('m'), many, 1, LIMITS);
    expect(agents).toHaveLength(10_000);
    expect(agents[0]?.id).toBe('S5');
  });
});
