import type { HostNetworkContext } from './host-network.ts';
import { isSubnetId, linkPrefix, readNicIdentity, readTag, subnetOfNamespace } from './names.ts';
import type { SeenLink } from './observe.ts';
import type { NetworkInventory, NicSeen } from './port.ts';

/** Looks for all that is ours: links by tag and name, namespaces and folders by name. */
export async function takeInventory(
  { instance, files, readLinks, readNamespaces }: HostNetworkContext,
  signal: AbortSignal,
): Promise<NetworkInventory> {
  const links = await readLinks(signal);
  const nics = nicsOf(instance, links);
  const subnetIds = [
    ...links.map(({ alias }) => readTag(instance, alias)?.identity ?? '').filter(isSubnetId),
    ...(await readNamespaces(signal)).flatMap((name) => subnetOfNamespace(instance, name) ?? []),
    ...(await files.list()),
    ...nics.map(({ subnetId }) => subnetId),
  ];
  const isStray = ({ name, alias }: SeenLink): boolean =>
    name.startsWith(linkPrefix(instance)) && alias === null;
  return {
    nics,
    subnetIds: [...new Set(subnetIds)].sort(),
    strays: links.filter(isStray).map(({ name }) => name),
  };
}

/** The cards among links. */
export function nicsOf(instance: string, links: readonly SeenLink[]): readonly NicSeen[] {
  return links.flatMap(({ name, alias, master, isUp }) => {
    const tag = readTag(instance, alias);
    if (tag?.kind !== 'tap') return [];
    const nic = readNicIdentity(tag.identity);
    if (nic === undefined) return [];
    return { ...nic, tapName: name, isAttached: master !== null && isUp };
  });
}
