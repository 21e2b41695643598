import { typedParam } from '../typed-params.ts';
import { arrayOf, bool, int, nothing, optional, struct, uhyper, uint, uuid } from '../xdr.ts';
import {
  aDomain,
  anXml,
  domain,
  LIST_MAX,
  onDomain,
  onDomainWithFlags,
  procedure,
  text,
  xmlAndFlags,
} from './shapes.ts';

/** REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX: parameters of one domain. */
const STATS_MAX = 262_144;

/** Domains: their definition, power, size, state, statistics and streams. */
export const DOMAIN_PROCEDURES = {
  domainCreateXml: procedure(10, xmlAndFlags, aDomain),
  domainGetXmlDesc: procedure(14, onDomainWithFlags, anXml),
  domainGetAutostart: procedure(15, onDomain, struct({ autostart: bool })),
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
  domainManagedSave: procedure(182, onDomainWithFlags, nothing),
  domainHasManagedSaveImage: procedure(183, onDomainWithFlags, struct({ result: bool })),
  domainManagedSaveRemove: procedure(184, onDomainWithFlags, nothing),
  domainCreateWithFlags: procedure(196, onDomainWithFlags, aDomain),
  domainSetVcpusFlags: procedure(199, struct({ domain, vcpus: uint, flags: uint }), nothing),
  domainOpenConsole: procedure(
    201,
    struct({ domain, device: optional(text), flags: uint }),
    nothing,
  ),
  domainSetMemoryFlags: procedure(204, struct({ domain, memory: uhyper, flags: uint }), nothing),
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
    struct({ needResults: bool, flags: uint }),
    struct({ domains: arrayOf(domain, LIST_MAX), count: uint }),
  ),
  domainOpenChannel: procedure(296, struct({ domain, name: optional(text), flags: uint }), nothing),
  connectGetAllDomainStats: procedure(
    344,
    struct({ domains: arrayOf(domain, LIST_MAX), stats: uint, flags: uint }),
    struct({
      records: arrayOf(struct({ domain, params: arrayOf(typedParam, STATS_MAX) }), LIST_MAX),
    }),
  ),
  domainDefineXmlFlags: procedure(350, xmlAndFlags, aDomain),
} as const;
