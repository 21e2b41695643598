import { nothing, struct, uint } from '../xdr.ts';
import { domain, onDomainWithXml, procedure, text } from './shapes.ts';

/** Devices of a domain, coming and going. */
export const DEVICE_PROCEDURES = {
  domainAttachDeviceFlags: procedure(160, onDomainWithXml, nothing),
  domainDetachDeviceFlags: procedure(161, onDomainWithXml, nothing),
  domainUpdateDeviceFlags: procedure(174, onDomainWithXml, nothing),
  domainDetachDeviceAlias: procedure(392, struct({ domain, alias: text, flags: uint }), nothing),
} as const;
