import type { HostTunnel, SchedulerMessage } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { PeersDesk } from './peers-desk.ts';
import { SchedulerState } from './state.ts';
import { createMemoryStore } from './store/memory-store.ts';
import { launchedRecord, sampleAssignment } from './testing/samples.ts';
import { applyHostGone, applyTunnel, type VmRecord } from './vm-record.ts';

function setUp() {
  const clock = new VirtualClock();
  const state = new SchedulerState(createMemoryStore(), clock, silentLogger);
  const told: { readonly agentId: string; readonly message: SchedulerMessage }[] = [];
  const tell = (agentId: string, message: SchedulerMessage): void =>
    void told.push({ agentId, message });
  const desk = new PeersDesk({ state, clock, tell });
  const last = (agentId: string) => {
    const message = told.findLast((each) => each.agentId === agentId)?.message;
    return message?.type === 'peers' ? message : undefined;
  };
  return { state, desk, told, last };
}

/** The `n`th VM, on the `n`th host, in a subnet that all share. */
function onHost(n: number): VmRecord {
  const { spec } = sampleAssignment(n);
  const network = { ...spec.network, vni: 7, macAddress: `52:54:00:00:00:0${n}` };
  const record = launchedRecord(n, { spec: { ...spec, network } });
  return applyTunnel({ ...record, boundAgentId: `agent-${n}` }, addressOf(n));
}

const addressOf = (n: number): string => `192.0.2.${n}`;
const knows = (n: number, epoch = 0, digest = ''): HostTunnel => ({
  ...{ address: addressOf(n), epoch, digest },
});

describe('hosts of one subnet', () => {
  it('are told of each other, until they show that they know', () => {
    const { state, desk, told, last } = setUp();
    for (const n of [1, 2]) {
      state.putVm(onHost(n));
      desk.heard(`agent-${n}`, knows(n));
    }
    desk.tellChanged();
    const message = last('agent-1');
    expect(message?.subnets[0]?.peers.map(({ tunnelAddress }) => tunnelAddress)).toEqual([
      addressOf(1),
      addressOf(2),
    ]);
    const before = told.length;
    // Lost on its way: the next heartbeat shows it.
    desk.heard('agent-1', knows(1));
    expect(told).toHaveLength(before + 1);
    desk.heard('agent-1', knows(1, last('agent-1')?.epoch, last('agent-1')?.digest));
    desk.tellChanged();
    expect(told).toHaveLength(before + 1);
  });

  it('are told with a growing epoch, beyond what they have heard', () => {
    const { state, desk, last } = setUp();
    state.putVm(onHost(1));
    const farAhead = Number.MAX_SAFE_INTEGER - 10;
    desk.heard('agent-1', knows(1, farAhead, 'of another scheduler'));
    expect(last('agent-1')?.epoch).toBe(farAhead + 1);
  });

  it('are told when one of them has gone for good', () => {
    const { state, desk, last } = setUp();
    for (const n of [1, 2]) {
      state.putVm(onHost(n));
      desk.heard(`agent-${n}`, knows(n));
    }
    state.putVm(applyHostGone(onHost(2), 1));
    desk.tellChanged();
    expect(last('agent-1')?.subnets[0]?.peers).toHaveLength(1);
  });

  it('hear nothing before they have spoken, or when they have no tunnels', () => {
    const { state, desk, told } = setUp();
    state.putVm(onHost(1));
    desk.tellChanged();
    desk.heard('agent-1', { address: null, epoch: 0, digest: '' });
    expect(told).toEqual([]);
  });
});
