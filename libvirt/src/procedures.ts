import { typedParam } from './typed-params.ts';
import {
  arrayOf,
  bool,
  type Codec,
  charArray,
  hyper,
  int,
  nothing,
  optional,
  stringOf,
  struct,
  uhyper,
  uint,
  uuid,
  type ValueOf,
} from './xdr.ts';

/**
 * libvirt's procedures that we use, with what goes in and what comes back. Numbers and layouts are
 * part of libvirt's ABI (src/remote/remote_protocol.x); to add a call, add a row.
 */

/** VIR_NET_MESSAGE_STRING_MAX. */
const text = stringOf(4_194_304);
/** REMOTE_DOMAIN_LIST_MAX and REMOTE_NETWORK_LIST_MAX. */
const LIST_MAX = 16_384;
/** REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX: parameters of one domain. */
const STATS_MAX = 262_144;
/** REMOTE_NETWORK_DHCP_LEASES_MAX. */
const LEASES_MAX = 65_536;
/** REMOTE_AUTH_TYPE_LIST_MAX. */
const AUTH_TYPES_MAX = 20;

const domain = struct({ name: text, uuid, id: int });
const network = struct({ name: text, uuid });

/** `remote_nonnull_domain`; `id` is -1 for a domain that does not run. */
export type WireDomain = ValueOf<typeof domain>;

/** virNetMessageError, the payload of everything with status `error`. */
export const remoteError = struct({
  code: int,
  domain: int,
  message: optional(text),
  level: int,
  dom: optional(domain),
  str1: optional(text),
  str2: optional(text),
  str3: optional(text),
  int1: int,
  int2: int,
  net: optional(network),
});

/** A row of the table. */
export interface Procedure<Args, Result> {
  readonly number: number;
  readonly args: Codec<Args>;
  readonly result: Codec<Result>;
}

/** What a row takes. */
export type ArgsOf<P> = P extends Procedure<infer Args, unknown> ? Args : never;
/** What a row gives. */
export type ResultOf<P> = P extends Procedure<infer _Args, infer Result> ? Result : never;

function procedure<Args, Result>(
  number: number,
  args: Codec<Args>,
  result: Codec<Result>,
): Procedure<Args, Result> {
  return { number, args, result };
}

const onDomain = struct({ domain });
const onDomainWithFlags = struct({ domain, flags: uint });
const onNetwork = struct({ network });
const xmlAndFlags = struct({ xml: text, flags: uint });
const listArgs = struct({ needResults: bool, flags: uint });
const aDomain = struct({ domain });
const aNetwork = struct({ network });
const anXml = struct({ xml: text });
const aVersion = struct({ version: uhyper });

export const PROCEDURES = {
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
  domainCreateXml: procedure(10, xmlAndFlags, aDomain),
  domainGetXmlDesc: procedure(14, onDomainWithFlags, anXml),
  domainGetInfo: procedure(
    16,
    onDomain,
    struct({ state: uint, maxMemory: uhyper, memory: uhyper, vcpus: uint, cpuTime: uhyper }),
  ),
  domainLookupByName: procedure(23, struct({ name: text }), aDomain),
  domainLookupByUuid: procedure(24, struct({ uuid }), aDomain),
  domainReboot: procedure(27, onDomainWithFlags, nothing),
  domainResume: procedure(28, onDomain, nothing),
  domainSetAutostart: procedure(29, struct({ domain, autostart: bool }), nothing),
  domainSuspend: procedure(34, onDomain, nothing),
  networkCreate: procedure(39, onNetwork, nothing),
  networkCreateXml: procedure(40, anXml, aNetwork),
  networkDefineXml: procedure(41, anXml, aNetwork),
  networkDestroy: procedure(42, onNetwork, nothing),
  networkGetXmlDesc: procedure(43, struct({ network, flags: uint }), anXml),
  networkGetBridgeName: procedure(45, onNetwork, struct({ name: text })),
  networkLookupByName: procedure(46, struct({ name: text }), aNetwork),
  networkLookupByUuid: procedure(47, struct({ uuid }), aNetwork),
  networkSetAutostart: procedure(48, struct({ network, autostart: bool }), nothing),
  networkUndefine: procedure(49, onNetwork, nothing),
  connectGetHostname: procedure(59, nothing, struct({ hostname: text })),
  connectSupportsFeature: procedure(60, struct({ feature: int }), struct({ supported: bool })),
  authList: procedure(66, nothing, struct({ types: arrayOf(int, AUTH_TYPES_MAX) })),
  networkIsActive: procedure(152, onNetwork, struct({ active: bool })),
  connectGetLibVersion: procedure(157, nothing, aVersion),
  domainCreateWithFlags: procedure(196, onDomainWithFlags, aDomain),
  domainOpenConsole: procedure(
    201,
    struct({ domain, device: optional(text), flags: uint }),
    nothing,
  ),
  domainScreenshot: procedure(
    211,
    struct({ domain, screen: uint, flags: uint }),
    struct({ mime: optional(text) }),
  ),
  domainGetState: procedure(212, onDomainWithFlags, struct({ state: int, reason: int })),
  domainUndefineFlags: procedure(231, onDomainWithFlags, nothing),
  domainDestroyFlags: procedure(234, onDomainWithFlags, nothing),
  domainReset: procedure(245, onDomainWithFlags, nothing),
  domainShutdownFlags: procedure(258, onDomainWithFlags, nothing),
  connectListAllDomains: procedure(
    273,
    listArgs,
    struct({ domains: arrayOf(domain, LIST_MAX), count: uint }),
  ),
  connectListAllNetworks: procedure(
    283,
    listArgs,
    struct({ networks: arrayOf(network, LIST_MAX), count: uint }),
  ),
  networkUpdate: procedure(
    291,
    struct({ network, command: uint, section: uint, parentIndex: int, xml: text, flags: uint }),
    nothing,
  ),
  domainEventCallbackRegisterAny: procedure(
    316,
    struct({ eventId: int, domain: optional(domain) }),
    struct({ callbackId: int }),
  ),
  domainEventCallbackDeregisterAny: procedure(317, struct({ callbackId: int }), nothing),
  networkGetDhcpLeases: procedure(
    341,
    struct({ network, mac: optional(text), needResults: bool, flags: uint }),
    struct({
      leases: arrayOf(
        struct({
          interfaceName: text,
          expiryTimeS: hyper,
          type: int,
          mac: optional(text),
          iaid: optional(text),
          ip: text,
          prefix: uint,
          hostname: optional(text),
          clientId: optional(text),
        }),
        LEASES_MAX,
      ),
      count: uint,
    }),
  ),
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
  connectGetAllDomainStats: procedure(
    344,
    struct({ domains: arrayOf(domain, LIST_MAX), stats: uint, flags: uint }),
    struct({
      records: arrayOf(struct({ domain, params: arrayOf(typedParam, STATS_MAX) }), LIST_MAX),
    }),
  ),
  domainDefineXmlFlags: procedure(350, xmlAndFlags, aDomain),
} as const;

/** A name in the table. */
export type ProcedureName = keyof typeof PROCEDURES;

/** REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE: libvirtd's own message, not a call. */
export const LIFECYCLE_EVENT = {
  number: 318,
  /** VIR_DOMAIN_EVENT_ID_LIFECYCLE. */
  eventId: 0,
  message: struct({ callbackId: int, domain, event: int, detail: int }),
} as const;
