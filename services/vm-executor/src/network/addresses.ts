import { VmFailure } from '../failures.ts';

/** An IPv4 range: the first address as a number, and the prefix. */
export interface Range {
  readonly first: number;
  readonly prefixLength: number;
}

/**
 * Reads `10.80.0.0/16`. What is read here goes into scripts for nft and dnsmasq, so nothing but
 * digits, dots and a slash passes.
 * @throws VmFailure `NETWORK_ERROR`
 */
export function parseRange(cidr: string): Range {
  const found = /^([0-9.]+)\/(\d{1,2})$/.exec(cidr);
  const prefixLength = Number(found?.[2] ?? Number.NaN);
  if (found === null || prefixLength > 32) throw malformed(cidr);
  const size = 2 ** (32 - prefixLength);
  const address = parseAddress(found[1] ?? '');
  return { first: address - (address % size), prefixLength };
}

/** Reads `10.80.0.1`. @throws VmFailure `NETWORK_ERROR` */
export function parseAddress(text: string): number {
  const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (bytes === undefined || bytes.some((byte) => byte > 255)) throw malformed(text);
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

export function isInRange(address: number, { first, prefixLength }: Range): boolean {
  return address >= first && address < first + 2 ** (32 - prefixLength);
}

/** `10.80.0.1` for its number. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.');
}

/** `255.255.0.0` for 16. */
export function netmask(prefixLength: number): string {
  return formatAddress(2 ** 32 - 2 ** (32 - prefixLength));
}

/** `10.80.0.0/16`, with the range's first address whichever was given. */
export function formatRange({ first, prefixLength }: Range): string {
  return `${formatAddress(first)}/${prefixLength}`;
}

/** The text, if it is a MAC in lower case with colons. @throws VmFailure `NETWORK_ERROR` */
export function checkMac(text: string): string {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text)) throw malformed(text);
  return text;
}

/** The text, if it is a name of one or more DNS labels. @throws VmFailure `NETWORK_ERROR` */
export function checkDnsName(text: string): string {
  const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
  if (text.length > 253 || !new RegExp(`^${label}(\\.${label})*$`).test(text))
    throw malformed(text);
  return text;
}

function malformed(text: string): VmFailure {
  return new VmFailure('NETWORK_ERROR', `${JSON.stringify(text)} is no address or name`);
}
