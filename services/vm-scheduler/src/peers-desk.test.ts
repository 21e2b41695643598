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

describe('hosts that know what was before', () => {
  const changes = (n: number, epoch = 0, digest = ''): HostTunnel => ({
    ...knows(n, epoch, digest),
    takesChanges: true,
  });
  /** Two hosts that know each other. */
  function known() {
    const world = setUp();
    for (const n of [1, 2]) {
      world.state.putVm(onHost(n));
      world.desk.heard(`agent-${n}`, changes(n));
    }
    world.desk.tellChanged();
    for (const n of [1, 2]) world.desk.heard(`agent-${n}`, changes(n, 9, digestNow(world)));
    return world;
  }
  const digestNow = ({ state }: ReturnType<typeof setUp>): string =>
    state.cards.versionOf('agent-1').digest;
  const told = (world: ReturnType<typeof setUp>) =>
    world.told.findLast(({ agentId }) => agentId === 'agent-1')?.message;

  it('are told what is new alone', () => {
    const world = known();
    const base = digestNow(world);
    world.state.putVm(onHost(3));
    world.desk.tellChanged();
    const digest = digestNow(world);
    expect(told(world)).toMatchObject({ type: 'peersChange', base, digest, whole: [], left: [] });
    expect(told(world)).toMatchObject({
      changed: [{ came: [{ tunnelAddress: addressOf(3) }], gone: [] }],
    });
    // Before that is heard of, the next is told on top of it.
    world.state.putVm(applyHostGone(onHost(2), 1));
    world.desk.tellChanged();
    expect(told(world)).toMatchObject({
      base: digest,
      changed: [{ came: [], gone: [{ tunnelAddress: addressOf(2) }] }],
    });
  });

  it('are told both again when one was lost', () => {
    const world = known();
    const base = digestNow(world);
    world.state.putVm(onHost(3));
    world.desk.tellChanged();
    world.state.putVm(applyHostGone(onHost(2), 1));
    world.desk.tellChanged();
    world.desk.heard('agent-1', changes(1, 9, base));
    expect(told(world)).toMatchObject({ type: 'peersChange', base });
    expect(told(world)).toMatchObject({
      changed: [
        { came: [{ tunnelAddress: addressOf(3) }], gone: [{ tunnelAddress: addressOf(2) }] },
      ],
    });
  });

  it('are told all when nobody remembers what they know, or they ask for it', () => {
    const world = known();
    for (const digest of ['unknown', 'of another scheduler']) {
      world.desk.heard('agent-1', changes(1, 9, digest));
      expect(told(world)).toMatchObject({ type: 'peers', digest: digestNow(world) });
    }
  });

  it('are told nothing by a scheduler that has just started, when they know it all', () => {
    const world = known();
    const again = setUp();
    for (const n of [1, 2]) again.state.putVm(onHost(n));
    again.desk.tellChanged();
    again.desk.heard('agent-1', changes(1, 9, digestNow(world)));
    expect(again.told).toEqual([]);
    again.state.putVm(onHost(3));
    again.desk.tellChanged();
    expect(told(again)).toMatchObject({ type: 'peersChange', base: digestNow(world) });
  });
});
