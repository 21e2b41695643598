import type { Rpc } from './rpc.ts';
import type { Affect, CallOptions, DomainRef } from './types.ts';
import { AFFECTS, flagsOf, wireDomain } from './wire.ts';

/** Options of a change of a domain's devices. */
export interface DeviceOptions extends CallOptions {
  /**
   * The running domain, its stored definition, or both; default: what it is at the moment, i.e.
   * the running domain if it runs, else the definition.
   */
  readonly affect?: Affect;
}

/**
 * Devices of a domain. `OPERATION_INVALID`: `affect` is `live` and the domain does not run;
 * `DEVICE_MISSING` or `OPERATION_FAILED`: it has no such device.
 */
export interface Devices {
  /** Plugs a device in: `<disk>`, `<interface>`, `<filesystem>`, `<hostdev>` and so on. */
  attach(domain: DomainRef, xml: string, options?: DeviceOptions): Promise<void>;
  /**
   * Asks the guest to let a device go. libvirt waits some seconds; then the call succeeds even
   * though the guest has not obeyed. Only the event `deviceRemoved`, or the XML, shows that it has.
   */
  detach(domain: DomainRef, xml: string, options?: DeviceOptions): Promise<void>;
  /** As `detach`, by the device's alias, and without libvirt's wait: it only asks the guest. */
  detachAlias(domain: DomainRef, alias: string, options?: DeviceOptions): Promise<void>;
  /**
   * Changes what can change in a device that is there, e.g. the medium of a CD-ROM or the password
   * of a screen. `force`: eject a medium that the guest holds on to.
   */
  update(
    domain: DomainRef,
    xml: string,
    options?: DeviceOptions & { readonly force?: boolean },
  ): Promise<void>;
}

function affectFlag(options: DeviceOptions): number {
  return options.affect === undefined ? 0 : AFFECTS[options.affect];
}

/** The {@link Devices} of a connection's domains. */
export function createDevices(rpc: Rpc): Devices {
  return {
    async attach(domain, xml, options = {}) {
      const args = { domain: wireDomain(domain), xml, flags: affectFlag(options) };
      await rpc.call('domainAttachDeviceFlags', args, options);
    },
    async detach(domain, xml, options = {}) {
      const args = { domain: wireDomain(domain), xml, flags: affectFlag(options) };
      await rpc.call('domainDetachDeviceFlags', args, options);
    },
    async detachAlias(domain, alias, options = {}) {
      const args = { domain: wireDomain(domain), alias, flags: affectFlag(options) };
      await rpc.call('domainDetachDeviceAlias', args, options);
    },
    async update(domain, xml, options = {}) {
      // VIR_DOMAIN_DEVICE_MODIFY_FORCE.
      const flags = affectFlag(options) + flagsOf([[1 << 2, options.force]]);
      await rpc.call(
        'domainUpdateDeviceFlags',
        { domain: wireDomain(domain), xml, flags },
        options,
      );
    },
  };
}
