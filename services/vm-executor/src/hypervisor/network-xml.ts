import { bridgeName, networkName, networkUuid } from './names.ts';
import type { AddressLease } from './port.ts';
import { renderXml, type XmlElement, xml } from './xml.ts';

/** Locally administered, and nobody's. */
const PLACEHOLDER_MAC = '02:00:00:00:00:01';

/**
 * A subnet as a libvirt network, with its fixed leases. Without a range the DHCP server serves known
 * hosts only. libvirt would end it with the last of them and start it with the next; so one is always
 * there, who has the gateway's own address and a MAC that nobody has.
 *
 * The forward mode is `open`, in which libvirt adds no firewall rules of its own. Any other mode
 * makes it drop and rebuild them with every lease (measured: 240 ms a lease, against 2 ms).
 * What may pass is up to firewall.ts.
 */
export function networkXml(
  instance: string,
  leases: readonly [AddressLease, ...AddressLease[]],
): string {
  const { subnetId, gatewayAddress, cidr } = leases[0];
  const name = networkName(instance, subnetId);
  return renderXml(
    xml(
      'network',
      { 'xmlns:dnsmasq': 'http://libvirt.org/schemas/network/dnsmasq/1.0' },
      xml('name', {}, name),
      xml('uuid', {}, networkUuid(name)),
      xml('forward', { mode: 'open' }),
      xml('bridge', { name: bridgeName(instance, subnetId), stp: 'off', delay: 0 }),
      xml('dns', { enable: 'no' }),
      xml(
        'ip',
        { address: gatewayAddress, prefix: prefixLength(cidr) },
        xml('dhcp', {}, placeholder(gatewayAddress), ...leases.map(hostElement)),
      ),
      // Option 3, the router, without a value: the subnet leads nowhere.
      xml('dnsmasq:options', {}, xml('dnsmasq:option', { value: 'dhcp-option=3' })),
    ),
  );
}

function placeholder(ip: string): XmlElement {
  return xml('host', { mac: PLACEHOLDER_MAC, ip });
}

function hostElement(lease: AddressLease): XmlElement {
  return xml('host', { mac: lease.macAddress, name: lease.hostname, ip: lease.ipAddress });
}

/** 16 for `10.80.0.0/16`. */
function prefixLength(cidr: string): number {
  return Number(cidr.split('/')[1]);
}
