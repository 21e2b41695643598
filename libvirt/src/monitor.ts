import { LibvirtProtocolError } from './errors.ts';
import type { Rpc } from './rpc.ts';
import type { CallOptions, DomainRef } from './types.ts';
import { wireDomain } from './wire.ts';

/** QEMU refused a command of its monitor. */
export class MonitorError extends Error {
  readonly code = 'FACTORY_ERR_QEMU_MONITOR';
  /** QEMU's class of error: `GenericError`, `DeviceNotFound`... */
  readonly errorClass: string;
  constructor(errorClass: string, message: string) {
    super(message);
    this.name = 'MonitorError';
    this.errorClass = errorClass;
  }
}

/**
 * QEMU's own monitor (QMP) of a running domain, for what libvirt has no call for. libvirt marks the
 * domain as tainted by it, which means no more than a line in its log; nothing that libvirt keeps
 * account of may be changed this way.
 */
export interface Monitor {
  /** Gives the command's `return` as it came. @throws MonitorError; LibvirtError */
  command(
    domain: DomainRef,
    command: { readonly execute: string; readonly arguments?: Readonly<Record<string, unknown>> },
    options?: CallOptions,
  ): Promise<unknown>;
}

/** The {@link Monitor}s of a connection's domains. */
export function createMonitor(rpc: Rpc): Monitor {
  return {
    async command(domain, command, options) {
      const args = { domain: wireDomain(domain), command: JSON.stringify(command), flags: 0 };
      return returnOf((await rpc.call('qemuDomainMonitorCommand', args, options)).result);
    },
  };
}

function returnOf(answer: string): unknown {
  const parsed = parse(answer);
  if (typeof parsed !== 'object' || parsed === null) {
    throw new LibvirtProtocolError("QEMU's monitor answered no object");
  }
  if ('return' in parsed) return parsed.return;
  const error = 'error' in parsed ? parsed.error : undefined;
  const text = (field: string): string => String(Object(error)[field] ?? 'unknown');
  throw new MonitorError(text('class'), text('desc'));
}

function parse(answer: string): unknown {
  try {
    return JSON.parse(answer);
  } catch (error) {
    const cause = error instanceof Error ? error : undefined;
    throw new LibvirtProtocolError("QEMU's monitor answered no JSON", cause);
  }
}
