import { silentLogger, systemClock } from '@factory/runtime';
import { createLibvirtConsoles } from '../src/console/libvirt-consoles.ts';
import { createLibvirtStats } from '../src/metrics/libvirt-stats.ts';
import { describeConsoles } from './consoles-contract.ts';
import { LIBVIRT_SOCKET, openLibvirtHost } from './libvirt-host.ts';

describeConsoles('libvirt with QEMU', async () => {
  const host = await openLibvirtHost('test-consoles');
  const hypervisor = host.hypervisor('host-a');
  const options = { clock: systemClock, logger: silentLogger, socketPath: LIBVIRT_SOCKET };
  return {
    hypervisor,
    consoles: createLibvirtConsoles(options),
    stats: createLibvirtStats(options),
    plan: { ...host.plan(0), hasScreen: true, hasAgentChannel: true },
    async close() {
      await hypervisor.close();
      await host.close();
    },
  };
});
