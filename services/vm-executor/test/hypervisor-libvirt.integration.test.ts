import { readFile } from 'node:fs/promises';
import { domainName } from '../src/hypervisor/names.ts';
import { describeHypervisor } from './hypervisor-contract.ts';
import { openLibvirtHost } from './libvirt-host.ts';

describeHypervisor('libvirt with QEMU', async () => {
  const host = await openLibvirtHost('test-contract');
  const hypervisor = host.hypervisor('host-a');
  const stranger = host.hypervisor('host-b');
  return {
    hypervisor,
    stranger,
    plan: host.plan,
    volumePath: host.volumePath,
    async kill(vmId) {
      const pid = await readFile(`/run/libvirt/qemu/${domainName(vmId)}.pid`, 'utf8');
      process.kill(Number(pid), 'SIGKILL');
    },
    async close() {
      await hypervisor.close();
      await stranger.close();
      await host.close();
    },
  };
});
