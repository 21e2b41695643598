import { arrayOf, bool, charArray, int, nothing, optional, struct, uhyper, uint } from '../xdr.ts';
import { anXml, aVersion, domain, procedure, text } from './shapes.ts';

/** REMOTE_AUTH_TYPE_LIST_MAX. */
const AUTH_TYPES_MAX = 20;

/** Opening and closing, the host, and registering for events. */
export const CONNECTION_PROCEDURES = {
  connectOpen: procedure(1, struct({ uri: optional(text), flags: uint }), nothing),
  connectClose: procedure(2, nothing, nothing),
  connectGetVersion: procedure(4, nothing, aVersion),
  nodeGetInfo: procedure(
    6,
    nothing,
    struct({
      model: charArray(32),
      memory: uhyper,
      cpus: int,
      mhz: int,
      nodes: int,
      sockets: int,
      cores: int,
      threads: int,
    }),
  ),
  connectGetCapabilities: procedure(7, nothing, anXml),
  connectGetHostname: procedure(59, nothing, struct({ hostname: text })),
  connectSupportsFeature: procedure(60, struct({ feature: int }), struct({ supported: bool })),
  authList: procedure(66, nothing, struct({ types: arrayOf(int, AUTH_TYPES_MAX) })),
  connectGetLibVersion: procedure(157, nothing, aVersion),
  domainEventCallbackRegisterAny: procedure(
    316,
    struct({ eventId: int, domain: optional(domain) }),
    struct({ callbackId: int }),
  ),
  domainEventCallbackDeregisterAny: procedure(317, struct({ callbackId: int }), nothing),
  connectGetDomainCapabilities: procedure(
    342,
    struct({
      emulator: optional(text),
      arch: optional(text),
      machine: optional(text),
      virtType: optional(text),
      flags: uint,
    }),
    anXml,
  ),
} as const;
