/** An IPv4 subnet and how its addresses are given out. */
export interface AddressSpace {
  /** `10.80.0.0/16` */
  readonly cidr: string;
  /** 24 bits, from the subnet's own random bytes. */
  readonly macSeed: number;
  /** Where the search begins. */
  readonly nextOffset: number;
}

/** An address given to a machine. */
export interface Address {
  /** From the subnet's first address. */
  readonly offset: number;
  readonly ipAddress: string;
  readonly macAddress: string;
}

/** The subnet is not one that machines can live in. */
class BadCidrError extends Error {
  readonly code = 'FACTORY_ERR_BAD_CIDR';
  constructor(cidr: string) {
    super(`${cidr} is not an IPv4 network of 8 to 29 bits, such as 10.80.0.0/16`);
    this.name = 'BadCidrError';
  }
}

/** Offset 0 names the network, 1 is the gateway, the last one is the broadcast address. */
const FIRST_OFFSET = 2;

/**
 * The first address and the number of addresses of a network.
 * @throws BadCidrError when it is malformed, too small, or larger than the 24 bits of a MAC's tail.
 */
export function parseCidr(cidr: string): { readonly base: number; readonly size: number } {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const [a = 256, b = 256, c = 256, d = 256, bits = 0] = (match ?? []).slice(1).map(Number);
  const base = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - bits);
  const isSound = [a, b, c, d].every((byte) => byte <= 255) && bits >= 8 && bits <= 29;
  if (!isSound || base % size !== 0) throw new BadCidrError(cidr);
  return { base, size };
}

/** How many machines fit into the network. */
export function usableAddresses(cidr: string): number {
  return parseCidr(cidr).size - FIRST_OFFSET - 1;
}

/** The network's gateway: its first usable address. */
export function gatewayAddress(cidr: string): string {
  return formatIpv4(parseCidr(cidr).base + 1);
}

/** Where the first search of a new subnet begins. */
export const INITIAL_OFFSET = FIRST_OFFSET;

/**
 * The next `count` free addresses from `space.nextOffset` on, going around once: addresses
 * released lately come last, so that nobody's neighbour tables still hold them. Fewer when there
 * are no more. Same input, same addresses.
 */
export function nextFreeAddresses(
  space: AddressSpace,
  usedOffsets: readonly number[],
  count: number,
): { readonly addresses: readonly Address[]; readonly nextOffset: number } {
  const { base, size } = parseCidr(space.cidr);
  const usable = usableAddresses(space.cidr);
  const used = new Set(usedOffsets);
  const start = Math.max(0, space.nextOffset - FIRST_OFFSET) % usable;
  const addresses: Address[] = [];
  let step = 0;
  for (; step < usable && addresses.length < count; step += 1) {
    const offset = FIRST_OFFSET + ((start + step) % usable);
    if (used.has(offset)) continue;
    const macAddress = macFor(offset % size, space.macSeed);
    addresses.push({ offset, ipAddress: formatIpv4(base + offset), macAddress });
  }
  return { addresses, nextOffset: FIRST_OFFSET + ((start + step) % usable) };
}

/**
 * QEMU's prefix and 24 bits: the offset, mixed with the subnet's seed. An exclusive or maps
 * different offsets to different addresses.
 */
function macFor(offset: number, macSeed: number): string {
  const tail = (offset ^ macSeed) & 0xff_ff_ff;
  const bytes = [0x52, 0x54, 0x00, tail >>> 16, (tail >>> 8) & 0xff, tail & 0xff];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function formatIpv4(address: number): string {
  const byte = (shift: number): number => Math.floor(address / 2 ** shift) % 256;
  return [24, 16, 8, 0].map(byte).join('.');
}
