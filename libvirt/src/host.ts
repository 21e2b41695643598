import type { Rpc } from './rpc.ts';
import type { Host, Version } from './types.ts';

/** libvirt's version number: major · 1,000,000 + minor · 1,000 + release. */
function versionOf(number: bigint): Version {
  const value = Number(number);
  return {
    major: Math.floor(value / 1_000_000),
    minor: Math.floor(value / 1_000) % 1_000,
    release: value % 1_000,
  };
}

/** The {@link Host} of a connection. */
export function createHost(rpc: Rpc): Host {
  return {
    async hypervisorVersion(options) {
      return versionOf((await rpc.call('connectGetVersion', undefined, options)).version);
    },
    async libvirtVersion(options) {
      return versionOf((await rpc.call('connectGetLibVersion', undefined, options)).version);
    },
    async nodeInfo(options) {
      const info = await rpc.call('nodeGetInfo', undefined, options);
      return {
        model: info.model,
        memoryKiB: info.memory,
        cpuCount: info.cpus,
        mhz: info.mhz,
        numaNodeCount: info.nodes,
        socketsPerNode: info.sockets,
        coresPerSocket: info.cores,
        threadsPerCore: info.threads,
      };
    },
    async hostname(options) {
      return (await rpc.call('connectGetHostname', undefined, options)).hostname;
    },
    async capabilities(options) {
      return (await rpc.call('connectGetCapabilities', undefined, options)).xml;
    },
    async domainCapabilities(options = {}) {
      const { emulator, arch, machine, virtType } = options;
      const args = { emulator, arch, machine, virtType, flags: 0 };
      return (await rpc.call('connectGetDomainCapabilities', args, options)).xml;
    },
  };
}
