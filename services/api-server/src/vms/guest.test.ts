import type { GuestInfo } from '@factory/contracts';
import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { withRunning } from '../testing/running.ts';

describeOnEachStore('what a guest says of itself', (test) => {
  it('is shown with its machine while it is told, as far as it can be kept', async () => {
    const { factory, clock } = test();
    const { cluster, first } = await withRunning(factory, clock, 1);
    const shown = async () => (await factory.caller.ok('GET', `/v1/vms/${first.vmId}`)).guest;
    expect(await shown()).toBeNull();
    const guest: GuestInfo = {
      hostName: 'we\0b',
      os: { id: 'micro', name: null, version: '1', kernel: '6.1' },
      addresses: [{ interface: 'eth0', ipAddress: '10.0.0.5' }],
    };
    await cluster.exchange({ vms: [cluster.report(first, { guest })] });
    expect(await shown()).toEqual({ ...guest, hostName: 'web' });
    await cluster.exchange({ vms: [cluster.report(first)] });
    expect(await shown()).toBeNull();
  });
});
