import { type BlockJobs, createBlockJobs } from './block-jobs.ts';
import { createDevices, type Devices } from './devices.ts';
import { createDomains } from './domains.ts';
import { createGuestAgent, type GuestAgent } from './guest-agent.ts';
import { createHost } from './host.ts';
import { createJobs, type Jobs } from './jobs.ts';
import { createMonitor, type Monitor } from './monitor.ts';
import { createNetworks } from './networks.ts';
import type { Rpc } from './rpc.ts';
import { createSnapshots, type Snapshots } from './snapshots.ts';
import type { Domains, Host, Networks } from './types.ts';

/** All calls, by subject. */
export interface LibvirtApi {
  readonly domains: Domains;
  readonly devices: Devices;
  readonly snapshots: Snapshots;
  readonly blockJobs: BlockJobs;
  readonly jobs: Jobs;
  readonly guestAgent: GuestAgent;
  readonly monitor: Monitor;
  readonly networks: Networks;
  readonly host: Host;
}

/** The calls of a connection, whichever it is. */
export function createApi(rpc: Rpc): LibvirtApi {
  return {
    domains: createDomains(rpc),
    devices: createDevices(rpc),
    snapshots: createSnapshots(rpc),
    blockJobs: createBlockJobs(rpc),
    jobs: createJobs(rpc),
    guestAgent: createGuestAgent(rpc),
    monitor: createMonitor(rpc),
    networks: createNetworks(rpc),
    host: createHost(rpc),
  };
}
