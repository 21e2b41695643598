import { struct, uint } from '../xdr.ts';
import { domain, qemuProcedure, text } from './shapes.ts';

/** What goes past libvirt to QEMU's monitor. */
export const MONITOR_PROCEDURES = {
  /** QEMU_PROC_DOMAIN_MONITOR_COMMAND. */
  qemuDomainMonitorCommand: qemuProcedure(
    1,
    struct({ domain, command: text, flags: uint }),
    struct({ result: text }),
  ),
} as const;
