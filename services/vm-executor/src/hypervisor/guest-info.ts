import { GUEST_INFO_LIMITS, type GuestInfo } from '@factory/contracts';
import type { GuestInfo as LibvirtGuestInfo } from '@factory/libvirt';

/**
 * What a guest says of itself, as it may be told on: the guest is not trusted, so that texts are cut
 * short and lose what is not to be printed, and the rest of a long list is left out. Pure.
 */
export function guestInfoOf({ hostname, os, interfaces }: LibvirtGuestInfo): GuestInfo {
  const found = interfaces
    .flatMap(({ name, addresses }) => addresses.map(({ address }) => ({ name, address })))
    .filter(({ address }) => !/^(127\.|::1$)/.test(address))
    .slice(0, GUEST_INFO_LIMITS.addressesMax);
  return {
    hostName: cleaned(hostname),
    os:
      os === undefined
        ? null
        : {
            id: cleaned(os.id) ?? '',
            name: cleaned(os.prettyName ?? os.name),
            version: cleaned(os.versionId),
            kernel: cleaned(os.kernelRelease),
          },
    addresses: found.map(({ name, address }) => ({
      interface: cleaned(name) ?? '',
      ipAddress: cleaned(address) ?? '',
    })),
  };
}

function cleaned(text: string | undefined): string | null {
  if (text === undefined) return null;
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, GUEST_INFO_LIMITS.textMax)
    .toWellFormed();
}
