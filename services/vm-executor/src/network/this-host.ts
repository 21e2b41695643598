import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type Clock, hasErrorCode, type SettingsOf } from '@factory/runtime';
import { formatRange, parseRange } from './addresses.ts';
import { createCommands } from './commands.ts';
import { createHostNetwork } from './host-network.ts';
import type { HostNetworkPort } from './port.ts';
import type { networkSettings } from './settings.ts';

/** What {@link createNetworkOfThisHost} is told. */
interface ThisHostOptions {
  readonly clock: Clock;
  readonly instance: string;
  readonly settings: SettingsOf<typeof networkSettings>;
  /** The agent's endpoint, `http://192.0.2.7:5051`; its host is where masters reach this one. */
  readonly agentUrl: string;
}

/** The networks of this host, as its settings, addresses and resolver say. */
export async function createNetworkOfThisHost({
  clock,
  instance,
  settings,
  agentUrl,
}: ThisHostOptions): Promise<HostNetworkPort> {
  const { runDir, vxlanPort, underlayMtu } = settings;
  const tunnelAddress = tunnelAddressOf(settings.tunnelAddress, agentUrl);
  return createHostNetwork({
    ...{ clock, instance, tunnelAddress, vxlanPort, underlayMtu },
    run: createCommands({ clock }),
    stateDir: networkStateDir(runDir, instance),
    protectedRanges: settings.protectedRanges?.split(',') ?? networksOf(tunnelAddress),
    nameServers: settings.nameServers?.split(',') ?? (await readNameServers()),
  });
}

/** The networks of this host, for one who only looks at them and removes them. */
export function createNetworkToRemove(options: {
  readonly clock: Clock;
  readonly instance: string;
  readonly runDir: string;
}): HostNetworkPort {
  const { clock, instance, runDir } = options;
  return createHostNetwork({
    ...{ clock, instance, tunnelAddress: null, vxlanPort: 4789, underlayMtu: 1_500 },
    run: createCommands({ clock }),
    stateDir: networkStateDir(runDir, instance),
    ...{ protectedRanges: [], nameServers: [] },
  });
}

/** Where the networks of an instance are remembered. */
function networkStateDir(runDir: string, instance: string): string {
  return join(runDir, `network-${instance}`);
}

/** The setting, else the agent's address; null when nobody else can reach that. */
export function tunnelAddressOf(setting: string | undefined, agentUrl: string): string | null {
  if (setting !== undefined) return setting;
  const host = URL.parse(agentUrl)?.hostname ?? '';
  const isAddress = /^\d+(\.\d+){3}$/.test(host);
  return isAddress && !host.startsWith('127.') && host !== '0.0.0.0' ? host : null;
}

/** The ranges of the interfaces that have this address. */
function networksOf(address: string | null): readonly string[] {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return own.flatMap((each) =>
    each.address === address && each.cidr !== null ? [formatRange(parseRange(each.cidr))] : [],
  );
}

async function readNameServers(): Promise<readonly string[]> {
  try {
    return nameServersIn(await readFile('/etc/resolv.conf', 'utf8'));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** IPv4 servers of a resolv.conf(5) that others than this host can ask too. */
export function nameServersIn(text: string): readonly string[] {
  const found = text.matchAll(/^\s*nameserver\s+(\d+(?:\.\d+){3})\s*$/gm);
  return Array.from(found, ([, address = '']) => address).filter(
    (address) => !address.startsWith('127.'),
  );
}
