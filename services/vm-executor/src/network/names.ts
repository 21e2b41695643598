import { createHash } from 'node:crypto';
import type { SubnetId, VmId } from '@factory/contracts';
import type { NicRef } from './port.ts';

/** What links there are, with the letter in their names. */
const LETTERS = {
  /** Of a subnet; without any address of the host. */
  bridge: 'b',
  /** To the other hosts of a subnet. */
  vxlan: 'x',
  /** The bridge's end of the pair into a subnet's namespace. */
  gateway: 'g',
  /** The host's end of the pair that leads out of a subnet's namespace. */
  uplink: 'u',
  /** A VM's network card. */
  tap: 't',
} as const;
export type LinkKind = keyof typeof LETTERS;

/** As much as names and tags need of a link. */
interface NamedLink {
  readonly name: string;
  readonly alias: string | null;
}

/** What all links of an instance, or all of one kind, begin with; nftables matches by it. */
export function linkPrefix(instance: string, kind?: LinkKind): string {
  return `fn${shortHash(instance, 4)}${kind === undefined ? '' : LETTERS[kind]}`;
}

/**
 * What a link carries as its alias (`ip link set alias`, up to 255 characters): whose it is, in full.
 * Names of 15 characters (IFNAMSIZ) can't say that.
 */
export function linkTag(instance: string, kind: LinkKind, identity: string): string {
  return `factory:${instance}:${kind}:${identity}`;
}

/**
 * The name of a link: that of the one with its tag, else the first of its candidates that is free.
 * A candidate without a tag is free: it was made by a run that was broken off before the tag.
 */
export function chooseLinkName(
  instance: string,
  kind: LinkKind,
  identity: string,
  links: readonly NamedLink[],
): string {
  const tag = linkTag(instance, kind, identity);
  const tagged = links.find((link) => link.alias === tag);
  if (tagged !== undefined) return tagged.name;
  for (let attempt = 0; ; attempt += 1) {
    const name = candidateName(instance, kind, identity, attempt);
    const holder = links.find((link) => link.name === name);
    if (holder === undefined || holder.alias === null) return name;
  }
}

/** 32 bits of hash, so two subnets or cards of a host may well meet; then the next attempt. */
export function candidateName(
  instance: string,
  kind: LinkKind,
  identity: string,
  attempt: number,
): string {
  const salted = attempt === 0 ? identity : `${identity}#${attempt}`;
  return `${linkPrefix(instance, kind)}${shortHash(salted, 8)}`;
}

/** What a card's tag says of it; address and owner are only noted. */
export interface NicFacts extends NicRef {
  readonly ipAddress: string;
  /** The agent's host name. */
  readonly ownerName: string;
}

/** A card's identity in names and tags. */
export function nicIdentity(nic: NicFacts): string {
  const { subnetId, vmId, macAddress, ipAddress, ownerName } = nic;
  return `${subnetId}/${vmId}/${macAddress}/${ipAddress}/${ownerInTag(ownerName)}`;
}

/** The reverse of {@link linkTag}, for links of this instance. */
export function readTag(
  instance: string,
  alias: string | null,
): { readonly kind: LinkKind; readonly identity: string } | undefined {
  const prefix = `factory:${instance}:`;
  if (alias === null || !alias.startsWith(prefix)) return undefined;
  const [kind = '', identity = ''] = splitOnce(alias.slice(prefix.length), ':');
  return isLinkKind(kind) && identity !== '' ? { kind, identity } : undefined;
}

/** An owner as tags have it: one word, and short, as a tag may have 255 characters (IFALIASZ). */
export function ownerInTag(ownerName: string): string {
  return ownerName.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64);
}

/** The reverse of {@link nicIdentity}. */
export function readNicIdentity(identity: string): NicFacts | undefined {
  const pattern = /^(sub_[0-9a-f]{32})\/(vm_[0-9a-f]{32})\/([0-9a-f:]{17})\/([0-9.]+)\/(.*)$/;
  const found = pattern.exec(identity);
  if (found === null) return undefined;
  const [, subnetId = '', vmId = '', macAddress = '', ipAddress = '', ownerName = ''] = found;
  return { subnetId: subnetId as SubnetId, vmId: vmId as VmId, macAddress, ipAddress, ownerName };
}

/** The subnet's network namespace, as `ip netns` knows it. */
export function namespaceName(instance: string, subnetId: SubnetId): string {
  return `fct-${instance}-${subnetId}`;
}

/** The subnet of a namespace of this instance. */
export function subnetOfNamespace(instance: string, name: string): SubnetId | undefined {
  const prefix = `fct-${instance}-`;
  const rest = name.slice(prefix.length);
  return name.startsWith(prefix) && isSubnetId(rest) ? rest : undefined;
}

export function isSubnetId(text: string): text is SubnetId {
  return /^sub_[0-9a-f]{32}$/.test(text);
}

/** The instance's tables in nftables, in the families `bridge` and `inet`. */
export function networkTable(instance: string): string {
  return `fctnet-${instance}`;
}

/**
 * The gateway's MAC: locally administered, and the same on all hosts of the subnet, each of which
 * has its own gateway.
 */
export function gatewayMac(subnetId: SubnetId): string {
  return `02:fc:${shortHash(subnetId, 8).replace(/..(?=.)/g, '$&:')}`;
}

/** `length` hexadecimal digits of SHA-256. */
export function shortHash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function isLinkKind(text: string): text is LinkKind {
  return Object.hasOwn(LETTERS, text);
}
