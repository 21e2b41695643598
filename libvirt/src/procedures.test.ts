import { describe, expect, it } from 'vitest';
import { EVENT_KINDS } from './event-kinds.ts';
import { CONNECTION_PROCEDURES } from './procedures/connection.ts';
import { DEVICE_PROCEDURES } from './procedures/devices.ts';
import { DOMAIN_PROCEDURES } from './procedures/domains.ts';
import { GUEST_AGENT_PROCEDURES } from './procedures/guest-agent.ts';
import { JOB_PROCEDURES } from './procedures/jobs.ts';
import { MONITOR_PROCEDURES } from './procedures/monitor.ts';
import { NETWORK_PROCEDURES } from './procedures/networks.ts';
import { SNAPSHOT_PROCEDURES } from './procedures/snapshots.ts';
import { PROCEDURES } from './procedures.ts';

const FAMILIES = [
  CONNECTION_PROCEDURES,
  DEVICE_PROCEDURES,
  DOMAIN_PROCEDURES,
  GUEST_AGENT_PROCEDURES,
  JOB_PROCEDURES,
  MONITOR_PROCEDURES,
  NETWORK_PROCEDURES,
  SNAPSHOT_PROCEDURES,
];

describe('the tables', () => {
  it('have each procedure once: no family hides a row of another', () => {
    const names = FAMILIES.flatMap((family) => Object.keys(family));
    expect(Object.keys(PROCEDURES).toSorted()).toStrictEqual(names.toSorted());
    const rows = Object.values(PROCEDURES).map(({ program, number }) => `${program}/${number}`);
    expect(new Set(rows).size).toBe(rows.length);
  });

  it('have each event once, with a number that is no call', () => {
    const kinds = Object.values(EVENT_KINDS);
    const numbers = kinds.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(kinds.length);
    expect(new Set(kinds.map(({ eventId }) => eventId)).size).toBe(kinds.length);
    const calls = new Set(Object.values(PROCEDURES).map(({ number }) => number));
    expect(numbers.filter((number) => calls.has(number))).toStrictEqual([]);
  });
});
