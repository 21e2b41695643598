import { describeHostNetwork } from './network-contract.ts';
import { openTestHost } from './network-hosts.ts';

describeHostNetwork('iproute2, nftables and dnsmasq', openTestHost);
