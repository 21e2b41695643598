import type { GuestInfo } from '@factory/contracts';

/**
 * A text that PostgreSQL can hold: without NUL, and with the replacement character where half of a
 * surrogate pair was. A serial console may print anything.
 */
export function printable<T extends string | null>(text: T): T | string {
  if (text === null) return text;
  return text.replaceAll('\0', '').toWellFormed();
}

/** What a guest said of itself, as PostgreSQL can hold it. */
export function printableGuest({ hostName, os, addresses }: GuestInfo): GuestInfo {
  return {
    hostName: printable(hostName),
    os: os && {
      id: printable(os.id),
      name: printable(os.name),
      version: printable(os.version),
      kernel: printable(os.kernel),
    },
    addresses: addresses.map((each) => ({
      interface: printable(each.interface),
      ipAddress: printable(each.ipAddress),
    })),
  };
}
