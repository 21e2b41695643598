import { SUBNET_LIMITS } from '@factory/contracts';

/** The addresses of a subnet that can be given out. */
export interface AddressPool {
  /** `10.80.0.0/16` */
  readonly cidr: string;
  /** MAC addresses are made of it. */
  readonly vni: number;
  /** From here on addresses are new, but for those in `ahead`. */
  readonly nextOffset: number;
  /** Offsets from `nextOffset` on that were given out: asked for by name. */
  readonly ahead: readonly number[];
  /** Offsets that machines have had, longest free first; perhaps not all. */
  readonly released: readonly number[];
}

/** An address given to a machine. */
export interface Address {
  /** From the subnet's first address. */
  readonly offset: number;
  readonly ipAddress: string;
  readonly macAddress: string;
}

/** The subnet is not one that machines can live in. */
export class BadCidrError extends Error {
  readonly code = 'FACTORY_ERR_BAD_CIDR';
  constructor(message: string) {
    super(message);
    this.name = 'BadCidrError';
  }
}

/** Offset 0 names the network, 1 is the gateway, the last one is the broadcast address. */
const FIRST_OFFSET = 2;
/** A MAC has 16 bits for the offset. */
const OFFSETS_MAX = 2 ** 16;
const EXAMPLE = 'such as 10.80.0.0/16';

/** Where the first search of a new subnet begins. */
export const INITIAL_OFFSET = FIRST_OFFSET;

/** The bytes of `10.80.0.1` as a number; `undefined` when it is no IPv4 address. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = (match ?? []).slice(1).map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/**
 * The first address and the number of addresses of a network, of whatever size.
 * @throws BadCidrError when it is malformed, or its address is not the first one.
 */
export function parseCidr(cidr: string): {
  readonly base: number;
  readonly size: number;
  readonly bits: number;
} {
  const [, address = '', prefix = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(cidr) ?? [];
  const base = parseIpv4(address);
  const bits = Number(prefix);
  if (base === undefined || bits > 32) {
    throw new BadCidrError(`${cidr} is not an IPv4 network, ${EXAMPLE}`);
  }
  const size = 2 ** (32 - bits);
  const first = base - (base % size);
  if (base === first) return { base, size, bits };
  const meant = `${formatIpv4(first)}/${bits}`;
  throw new BadCidrError(`${cidr} is an address within ${meant}; give the network itself`);
}

/** Of RFC 1918. */
const PRIVATE_RANGES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'] as const;

/** @throws BadCidrError when it is not a private network of a size that subnets may have. */
export function checkSubnetCidr(cidr: string): void {
  const { base, size, bits } = parseCidr(cidr);
  const { prefixBitsMin, prefixBitsMax } = SUBNET_LIMITS;
  if (bits < prefixBitsMin || bits > prefixBitsMax) {
    const sizes = `from /${prefixBitsMin} to /${prefixBitsMax}`;
    throw new BadCidrError(`${cidr} has a size that subnets can't have; allowed is ${sizes}`);
  }
  const isPrivate = PRIVATE_RANGES.map(parseCidr).some(
    (range) => base >= range.base && base + size <= range.base + range.size,
  );
  if (isPrivate) return;
  throw new BadCidrError(`${cidr} is not private; take one within ${PRIVATE_RANGES.join(', ')}`);
}

/** Whether an address may be of both networks. */
export function doOverlap(cidr: string, other: string): boolean {
  const [a, b] = [parseCidr(cidr), parseCidr(other)];
  return a.base < b.base + b.size && b.base < a.base + a.size;
}

/** How many machines fit into the network. */
export function usableAddresses(cidr: string): number {
  return Math.min(parseCidr(cidr).size, OFFSETS_MAX) - FIRST_OFFSET - 1;
}

/** The network's gateway: its first usable address. */
export function gatewayAddress(cidr: string): string {
  return formatIpv4(parseCidr(cidr).base + 1);
}

/** The offset of an address that a machine may have, or why it may not have it. */
export function offsetOf(
  cidr: string,
  ipAddress: string,
): { readonly offset: number } | { readonly problem: string } {
  const address = parseIpv4(ipAddress);
  if (address === undefined) return { problem: `${ipAddress} is not an IPv4 address` };
  const offset = address - parseCidr(cidr).base;
  const last = FIRST_OFFSET + usableAddresses(cidr) - 1;
  if (offset >= FIRST_OFFSET && offset <= last) return { offset };
  if (offset === 1) return { problem: `${ipAddress} is the gateway of ${cidr}` };
  const at = (each: number): string => formatIpv4(parseCidr(cidr).base + each);
  const range = `${at(FIRST_OFFSET)} to ${at(last)}`;
  return { problem: `${ipAddress} is not for machines; in ${cidr} they have ${range}` };
}

/**
 * The next `count` free addresses: new ones first, then those that have been free for longest, so
 * that nobody's neighbour tables still hold them. Fewer when there are no more. Same input, same
 * addresses.
 */
export function takeAddresses(
  pool: AddressPool,
  count: number,
): { readonly addresses: readonly Address[]; readonly pool: AddressPool } {
  const end = FIRST_OFFSET + usableAddresses(pool.cidr);
  const ahead = new Set(pool.ahead);
  const offsets: number[] = [];
  let nextOffset = Math.max(FIRST_OFFSET, pool.nextOffset);
  for (; nextOffset < end && offsets.length < count; nextOffset += 1) {
    if (!ahead.has(nextOffset)) offsets.push(nextOffset);
  }
  const again = pool.released.slice(0, count - offsets.length);
  return {
    addresses: [...offsets, ...again].map((offset) => addressAt(pool, offset)),
    pool: { ...pool, nextOffset, released: pool.released.slice(again.length) },
  };
}

/** The address at an offset. MACs differ between all subnets that there are. */
export function addressAt(
  { cidr, vni }: Pick<AddressPool, 'cidr' | 'vni'>,
  offset: number,
): Address {
  const ipAddress = formatIpv4(parseCidr(cidr).base + offset);
  return { offset, ipAddress, macAddress: macFor(vni, offset) };
}

/** 0x52: unicast and locally administered. The other bytes are the subnet's and the machine's. */
function macFor(vni: number, offset: number): string {
  const bytes = [0x52, vni >>> 16, vni >>> 8, vni, offset >>> 8, offset];
  return bytes.map((byte) => (byte & 0xff).toString(16).padStart(2, '0')).join(':');
}

function formatIpv4(address: number): string {
  const byte = (shift: number): number => Math.floor(address / 2 ** shift) % 256;
  return [24, 16, 8, 0].map(byte).join('.');
}
