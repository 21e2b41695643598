import type { HostAttribute } from './requirements.ts';

/**
 * The attribute of hosts that have addresses of the world to give to machines, each to one at a
 * time: `external_addresses:192.0.2.16/28`; several parts are divided by commas, and a part may be
 * an address, a range (`192.0.2.3-192.0.2.9`) or a network, all of whose addresses are meant.
 */
export const EXTERNAL_ADDRESSES_ATTRIBUTE = 'external_addresses';

/** IPv4 addresses as numbers, the first and the last included. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** Of one host. */
const ADDRESSES_MAX = 65_536;

/** The text does not name addresses. */
export class ExternalAddressesError extends Error {
  readonly code = 'FACTORY_ERR_EXTERNAL_ADDRESSES';
  constructor(text: string, what: string) {
    super(`${JSON.stringify(text)} ${what}, such as 192.0.2.16/28 or 192.0.2.3-192.0.2.9`);
    this.name = 'ExternalAddressesError';
  }
}

/**
 * Addresses in ascending order, none of them twice.
 * @throws ExternalAddressesError when the text is malformed, or they are more than 65,536.
 */
export function parseExternalAddresses(text: string): readonly AddressRange[] {
  const parts = text.split(',').map((part) => parsePart(part.trim()));
  const merged: AddressRange[] = [];
  for (const range of parts.sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || range.first > before.last + 1) merged.push(range);
    else merged.splice(-1, 1, { ...before, last: Math.max(before.last, range.last) });
  }
  if (countAddresses(merged) <= ADDRESSES_MAX) return merged;
  throw new ExternalAddressesError(text, `names more than ${ADDRESSES_MAX} addresses`);
}

/** Those of a host; what makes no sense counts as none. */
export function externalAddressesOf(
  attributes: readonly HostAttribute[] | undefined,
): readonly AddressRange[] {
  const texts = (attributes ?? []).flatMap((attribute) => {
    if (attribute.name !== EXTERNAL_ADDRESSES_ATTRIBUTE) return [];
    if (attribute.type === 'text') return [attribute.text];
    return attribute.type === 'set' ? attribute.items : [];
  });
  if (texts.length === 0) return [];
  try {
    return parseExternalAddresses(texts.join(','));
  } catch (error) {
    if (error instanceof ExternalAddressesError) return [];
    throw error;
  }
}

export function countAddresses(ranges: readonly AddressRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** The first address that is not taken; `undefined` when all are. */
export function freeAddress(
  ranges: readonly AddressRange[],
  taken: ReadonlySet<string>,
): string | undefined {
  for (const { first, last } of ranges) {
    for (let each = first; each <= last; each += 1) {
      const address = formatIpv4(each);
      if (!taken.has(address)) return address;
    }
  }
  return undefined;
}

/** As many parts as there are hosts, as equal as can be, as their attributes have them. */
export function divideAddresses(ranges: readonly AddressRange[], hosts: number): string[] {
  const all = ranges.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
  return Array.from({ length: hosts }, (_, index) => {
    const from = Math.floor((index * all.length) / hosts);
    const part = all.slice(from, Math.floor(((index + 1) * all.length) / hosts));
    const runs: AddressRange[] = [];
    for (const each of part) {
      const run = runs.at(-1);
      if (run?.last === each - 1) runs.splice(-1, 1, { ...run, last: each });
      else runs.push({ first: each, last: each });
    }
    return runs.map(({ first, last }) => `${formatIpv4(first)}-${formatIpv4(last)}`).join(',');
  });
}

function parsePart(text: string): AddressRange {
  const [, from = '', bits, to] =
    /^([\d.]+)(?:\/(\d{1,2})|-([\d.]+))?$/.exec(text) ?? ([] as (string | undefined)[]);
  const first = parseIpv4(from);
  const last = to === undefined ? first : parseIpv4(to);
  const prefix = bits === undefined ? 32 : Number(bits);
  if (first === undefined || last === undefined || prefix > 32 || last < first) {
    throw new ExternalAddressesError(text, 'names no IPv4 addresses');
  }
  if (bits === undefined) return { first, last };
  const size = 2 ** (32 - prefix);
  const start = first - (first % size);
  return { first: start, last: start + size - 1 };
}

function parseIpv4(text: string): number | undefined {
  const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (bytes === undefined || bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.');
}
