import { typedParam } from '../typed-params.ts';
import { arrayOf, int, nothing, optional, struct, uint } from '../xdr.ts';
import { domain, procedure, qemuProcedure, text } from './shapes.ts';

/** REMOTE_DOMAIN_FSFREEZE_MOUNTPOINTS_MAX. */
const MOUNT_POINTS_MAX = 256;
/** REMOTE_DOMAIN_GUEST_INFO_PARAMS_MAX. */
const GUEST_INFO_MAX = 2_048;
/** REMOTE_DOMAIN_AUTHORIZED_SSH_KEYS_MAX. */
const SSH_KEYS_MAX = 2_048;

const onMountPoints = struct({
  domain,
  mountPoints: arrayOf(text, MOUNT_POINTS_MAX),
  flags: uint,
});
const aCount = struct({ filesystems: int });

/** What libvirt asks the QEMU guest agent to do. */
export const GUEST_AGENT_PROCEDURES = {
  /** QEMU_PROC_DOMAIN_AGENT_COMMAND: any command, with its own time-out in whole seconds. */
  qemuDomainAgentCommand: qemuProcedure(
    3,
    struct({ domain, command: text, timeoutS: int, flags: uint }),
    struct({ result: optional(text) }),
  ),
  domainFsFreeze: procedure(335, onMountPoints, aCount),
  domainFsThaw: procedure(336, onMountPoints, aCount),
  domainSetUserPassword: procedure(
    357,
    struct({ domain, user: optional(text), password: optional(text), flags: uint }),
    nothing,
  ),
  domainGetGuestInfo: procedure(
    418,
    struct({ domain, types: uint, flags: uint }),
    struct({ params: arrayOf(typedParam, GUEST_INFO_MAX) }),
  ),
  domainAgentSetResponseTimeout: procedure(
    420,
    struct({ domain, timeoutS: int, flags: uint }),
    struct({ result: int }),
  ),
  domainAuthorizedSshKeysGet: procedure(
    424,
    struct({ domain, user: text, flags: uint }),
    struct({ keys: arrayOf(text, SSH_KEYS_MAX) }),
  ),
  domainAuthorizedSshKeysSet: procedure(
    425,
    struct({ domain, user: text, keys: arrayOf(text, SSH_KEYS_MAX), flags: uint }),
    nothing,
  ),
} as const;
