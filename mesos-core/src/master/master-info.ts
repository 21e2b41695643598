import { isIPv4 } from 'node:net';
import type { MasterInfo } from '../protocol/index.ts';
import { type MasterAddress, MESOS_VERSION } from './settings.ts';

/** What a master says of itself: to frameworks, to operators, and in its node in ZooKeeper. */
export function masterInfoOf(id: string, { hostname, ip, port }: MasterAddress): MasterInfo {
  return {
    id,
    ip: packIp(ip),
    port,
    pid: `master@${ip}:${port}`,
    hostname,
    version: MESOS_VERSION,
    address: { hostname, ip, port },
    capabilities: [{ type: 'AGENT_UPDATE' }, { type: 'AGENT_DRAINING' }, { type: 'QUOTA_V2' }],
  };
}

/** The bytes of an address as one number, the first byte lowest, as `MasterInfo.ip` has it; 0 for IPv6. */
function packIp(ip: string): number {
  if (!isIPv4(ip)) return 0;
  const bytes = ip.split('.').map(Number);
  return bytes.reduceRight((packed, byte) => packed * 256 + byte, 0);
}
