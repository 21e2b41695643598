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
function follow(failing: (typeof CALLS)[number] | undefined) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const image = { name: 'micro', virtualSizeBytes: 1, readyMarker: READY_MARKER };
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
  const record = newRecord(testTask(1), 0);
  const onReady = (): void => {
    readyCount += 1;
  };
  const stop = watchReadiness({ clock, random, storage, record, logger: silentLogger, onReady });
  return { clock, host, stop, ready: () => readyCount };
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
