import { arrayOf, bool, hyper, int, nothing, optional, struct, uint, uuid } from '../xdr.ts';
import { anXml, LIST_MAX, network, procedure, text } from './shapes.ts';

/** REMOTE_NETWORK_DHCP_LEASES_MAX. */
const LEASES_MAX = 65_536;

const onNetwork = struct({ network });
const aNetwork = struct({ network });

/** Virtual networks. */
export const NETWORK_PROCEDURES = {
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
  networkIsActive: procedure(152, onNetwork, struct({ active: bool })),
  connectListAllNetworks: procedure(
    283,
    struct({ needResults: bool, flags: uint }),
    struct({ networks: arrayOf(network, LIST_MAX), count: uint }),
  ),
  networkUpdate: procedure(
    291,
    struct({ network, command: uint, section: uint, parentIndex: int, xml: text, flags: uint }),
    nothing,
  ),
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
} as const;
