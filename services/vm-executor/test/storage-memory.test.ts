import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import { SimulatedHost } from '../src/hypervisor/simulated-host.ts';
import { createMemoryStorage } from '../src/storage/memory.ts';
import { describeStorage } from './storage-contract.ts';

describeStorage('memory', async () => {
  const host = new SimulatedHost({
    clock: new VirtualClock(),
    random: seededRandom(1),
    images: [{ name: 'micro', virtualSizeBytes: 1 << 20, readyMarker: 'guest up' }],
  });
  const storage = createMemoryStorage(host);
  return {
    storage,
    guestWrites: async (vmId, text) => host.writeConsole(vmId, text),
    close: () => storage.close(),
  };
});
