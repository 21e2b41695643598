import { checkMac, formatAddress, parseAddress } from './addresses.ts';
import type { FdbEntry } from './observe.ts';
import type { SubnetPeers } from './port.ts';

/** The entry for frames that no other entry is for: broadcasts, and MACs not told of. */
const ALL_OTHERS = '00:00:00:00:00:00';

/**
 * Where the tunnel of a subnet sends its frames: those for a card that is known to its host, others
 * to all hosts. Executors of one host are told of each other, so its own address is left out.
 */
export function wantedFdb(peers: SubnetPeers, ownAddress: string): readonly FdbEntry[] {
  return peers.peers.flatMap(({ tunnelAddress, nics }) => {
    const address = formatAddress(parseAddress(tunnelAddress));
    if (address === ownAddress) return [];
    const macs = [ALL_OTHERS, ...nics.map(({ macAddress }) => checkMac(macAddress))];
    return macs.map((mac) => ({ mac, address }));
  });
}

/** Commands of `bridge -batch` that make a tunnel's entries the wanted ones. */
export function fdbCommands(
  vxlanName: string,
  wanted: readonly FdbEntry[],
  present: readonly FdbEntry[],
): readonly string[] {
  const key = ({ mac, address }: FdbEntry): string => `${mac} dev ${vxlanName} dst ${address}`;
  const wantedKeys = new Set(wanted.map(key));
  const presentKeys = new Set(present.map(key));
  const gone = [...presentKeys].filter((each) => !wantedKeys.has(each));
  const missing = [...wantedKeys].filter((each) => !presentKeys.has(each));
  // First those that go, so that a card that has moved is not at two hosts for a moment.
  return [
    ...gone.map((each) => `fdb del ${each} self`),
    ...missing.map((each) => `fdb append ${each} self permanent`),
  ];
}
