import { silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { SimulatedHost } from '../hypervisor/simulated-host.ts';
import { createMemoryStorage } from '../storage/memory.ts';
import type { VmStorage } from '../storage/port.ts';
import { READY_MARKER, testTask, testVmId } from '../testing.ts';
import { watchReadiness } from './readiness.ts';
import { newRecord } from './record.ts';

const vmId = testVmId(1);
const CALLS = ['findImage', 'watchConsole', 'readConsole'] as const;

/** A console that is followed, on a storage of which one method fails at first. */
function follow(failing: (typeof CALLS)[number] | undefined, marker = true) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const readyMarker = marker ? READY_MARKER : undefined;
  const image = { name: 'micro', virtualSizeBytes: 1, readyMarker };
  const host = new SimulatedHost({ clock, random, images: [image] });
  const sound = createMemoryStorage(host);
  let failuresLeft = 2;
  const storage: VmStorage = new Proxy(sound, {
    get(target, name) {
      if (name !== failing || failuresLeft === 0) return Reflect.get(target, name);
      failuresLeft -= 1;
      return () => {
        throw new Error('the storage is away');
      };
    },
  });
  let readyCount = 0;
  const agent = { pings: 0, isUp: false, isAway: false };
  const hypervisor = {
    pingGuest: async () => {
      agent.pings += 1;
      if (agent.isAway) throw new Error('the hypervisor is away');
      return agent.isUp;
    },
  };
  const record = newRecord(testTask(1), 0);
  const onReady = (): void => {
    readyCount += 1;
  };
  const stop = watchReadiness({
    ...{ clock, random, storage, hypervisor, record, onReady },
    logger: silentLogger,
  });
  return { clock, host, stop, agent, ready: () => readyCount };
}

describe('following a console for the word that the guest is up', () => {
  it('says so once, also when the word came in pieces', async () => {
    const { clock, host, ready } = follow(undefined);
    host.writeConsole(vmId, `booting\n${READY_MARKER.slice(0, 5)}`);
    await clock.run(10);
    expect(ready()).toBe(0);
    host.writeConsole(vmId, READY_MARKER.slice(5));
    host.writeConsole(vmId, `\n${READY_MARKER}\n`);
    await clock.run(10);
    expect(ready()).toBe(1);
    expect(host.consoleListeners.size).toBe(0);
  });

  it.each(CALLS)('goes on when the storage comes back (%s)', async (failing) => {
    const { clock, host, ready } = follow(failing);
    host.writeConsole(vmId, `${READY_MARKER}\n`);
    await clock.run(60_000);
    expect(ready()).toBe(1);
  });

  it('ends when it is told to', async () => {
    const { clock, host, stop, ready } = follow(undefined);
    await clock.run(10);
    stop();
    host.writeConsole(vmId, `${READY_MARKER}\n`);
    await clock.run(60_000);
    expect(ready()).toBe(0);
    expect(host.consoleListeners.size).toBe(0);
  });
});

describe('looking whether a guest is up whose image has no word for it', () => {
  it('says so once, when its agent answers', async () => {
    const { clock, agent, ready } = follow(undefined, false);
    await clock.run(30_000);
    expect(ready()).toBe(0);
    agent.isUp = true;
    await clock.run(70_000);
    expect(ready()).toBe(1);
    const { pings } = agent;
    await clock.run(600_000);
    expect(agent.pings).toBe(pings);
  });

  it('looks seldom at one that never answers, and no more when it is told so', async () => {
    const { clock, agent, stop } = follow(undefined, false);
    await clock.run(3_600_000);
    expect(agent.pings).toBeLessThan(150);
    stop();
    const { pings } = agent;
    await clock.run(600_000);
    expect(agent.pings).toBe(pings);
  });

  it('goes on when the hypervisor comes back', async () => {
    const { clock, agent, ready } = follow(undefined, false);
    agent.isAway = true;
    await clock.run(60_000);
    Object.assign(agent, { isAway: false, isUp: true });
    await clock.run(120_000);
    expect(ready()).toBe(1);
  });
});
