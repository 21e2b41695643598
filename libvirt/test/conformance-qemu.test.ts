import { describeConformance } from './conformance.ts';
import { biosDomainXml } from './qemu-xml.ts';

/** One of 250 subnets by process id, so that runs side by side rarely meet. */
const subnet = `10.213.${(process.pid % 250) + 2}`;

describeConformance({
  name: 'qemu:///system',
  uri: 'qemu:///system',
  features: new Set([
    'console',
    'screenshot',
    'cpuStats',
    'dhcpLeases',
    'domainCapabilities',
    'inactiveNetworkXml',
    'startFlags',
    'nvram',
  ]),
  alreadyRunning: 'OPERATION_INVALID',
  domainXml: biosDomainXml,
  networkXml: (name) => `<network>
      <name>${name}</name><bridge name='lvc${process.pid % 1_000_000}' stp='off' delay='0'/>
      <ip address='${subnet}.1' netmask='255.255.255.0'>
        <dhcp><range start='${subnet}.100' end='${subnet}.200'/></dhcp>
      </ip>
    </network>`,
});
