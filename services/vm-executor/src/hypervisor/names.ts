import type { VmId } from '@factory/contracts';
import type { DomainRef } from '@factory/libvirt';

/** Whose domains are ours on this host. */
export interface Owner {
  /** The factory that this host belongs to; several may share a machine. */
  readonly instance: string;
  /** The Mesos agent's host name; several agents may share a machine. */
  readonly hostName: string;
}

/** Namespace of our element in a domain's metadata. */
export const METADATA_NAMESPACE = 'https://compute-factory.dev/xmlns/vm/1';

const DOMAIN_PREFIX = 'fct-';

/** The name of a VM's domain. */
export function domainName(vmId: VmId): string {
  return `${DOMAIN_PREFIX}${vmId}`;
}

/** A VM's id is `vm_` and a UUID without dashes; its domain has the same UUID. */
export function domainUuid(vmId: VmId): string {
  return toUuid(vmId.slice(3));
}

/** The VM's domain, as libvirt is asked for it. */
export function domainRef(vmId: VmId): DomainRef {
  return { name: domainName(vmId), uuid: domainUuid(vmId) };
}

/** The VM of a domain's name, or undefined for a name that is not ours. */
export function vmIdOfDomain(name: string): VmId | undefined {
  return /^fct-vm_[0-9a-f]{32}$/.test(name)
    ? (name.slice(DOMAIN_PREFIX.length) as VmId)
    : undefined;
}

/** 32 hexadecimal digits, with the dashes of a UUID. */
function toUuid(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Whether a domain's XML carries this owner's metadata. */
export function isOwnedBy(domainXmlText: string, owner: Owner): boolean {
  const { instance, host } = readMetadata(domainXmlText) ?? {};
  return instance === owner.instance && host === owner.hostName;
}

/** Whether a domain's XML carries the metadata of this factory instance, on whichever host. */
export function isOfInstance(domainXmlText: string, instance: string): boolean {
  return readMetadata(domainXmlText)?.instance === instance;
}

/** Our element, as libvirt prints it back: attributes in its own order and quotes. */
function readMetadata(domainXmlText: string): Record<string, string> | undefined {
  const element = /<factory:vm\s([^>]*)>/.exec(domainXmlText)?.[1];
  if (element === undefined) return undefined;
  const attributes = element.matchAll(/([\w:]+)=['"]([^'"]*)['"]/g);
  const found = Object.fromEntries(Array.from(attributes, ([, name, value]) => [name, value]));
  return found['xmlns:factory'] === METADATA_NAMESPACE ? found : undefined;
}
