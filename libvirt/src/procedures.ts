import { CONNECTION_PROCEDURES } from './procedures/connection.ts';
import { DEVICE_PROCEDURES } from './procedures/devices.ts';
import { DOMAIN_PROCEDURES } from './procedures/domains.ts';
import { GUEST_AGENT_PROCEDURES } from './procedures/guest-agent.ts';
import { JOB_PROCEDURES } from './procedures/jobs.ts';
import { MONITOR_PROCEDURES } from './procedures/monitor.ts';
import { NETWORK_PROCEDURES } from './procedures/networks.ts';
import { SNAPSHOT_PROCEDURES } from './procedures/snapshots.ts';

/**
 * libvirt's procedures that we use, with what goes in and what comes back, in families. Numbers and
 * layouts are part of libvirt's ABI (src/remote/remote_protocol.x and qemu_protocol.x); to add a
 * call, add a row to its family.
 */
export const PROCEDURES = {
  ...CONNECTION_PROCEDURES,
  ...DOMAIN_PROCEDURES,
  ...NETWORK_PROCEDURES,
  ...GUEST_AGENT_PROCEDURES,
  ...DEVICE_PROCEDURES,
  ...SNAPSHOT_PROCEDURES,
  ...JOB_PROCEDURES,
  ...MONITOR_PROCEDURES,
} as const;

/** A name in the table. */
export type ProcedureName = keyof typeof PROCEDURES;
