import { typedParam } from '../typed-params.ts';
import { arrayOf, bool, int, nothing, optional, struct, uhyper, uint } from '../xdr.ts';
import { anXml, domain, onDomain, onDomainWithFlags, procedure, text } from './shapes.ts';

/** REMOTE_DOMAIN_BLOCK_COPY_PARAMETERS_MAX. */
const COPY_PARAMS_MAX = 16;
/** REMOTE_DOMAIN_JOB_STATS_MAX. */
export const JOB_STATS_MAX = 64;

/** Jobs of one disk (block jobs), and the job of a whole domain: a backup, a save. */
export const JOB_PROCEDURES = {
  domainAbortJob: procedure(164, onDomain, nothing),
  domainBlockJobAbort: procedure(237, struct({ domain, disk: text, flags: uint }), nothing),
  domainGetBlockJobInfo: procedure(
    238,
    struct({ domain, disk: text, flags: uint }),
    struct({ found: bool, type: int, bandwidth: uhyper, current: uhyper, end: uhyper }),
  ),
  domainBlockJobSetSpeed: procedure(
    239,
    struct({ domain, disk: text, bandwidth: uhyper, flags: uint }),
    nothing,
  ),
  domainBlockResize: procedure(
    251,
    struct({ domain, disk: text, size: uhyper, flags: uint }),
    nothing,
  ),
  domainBlockCommit: procedure(
    290,
    struct({
      domain,
      disk: text,
      base: optional(text),
      top: optional(text),
      bandwidth: uhyper,
      flags: uint,
    }),
    nothing,
  ),
  domainGetJobStats: procedure(
    298,
    onDomainWithFlags,
    struct({ type: int, params: arrayOf(typedParam, JOB_STATS_MAX) }),
  ),
  domainBlockCopy: procedure(
    345,
    struct({
      domain,
      disk: text,
      destinationXml: text,
      params: arrayOf(typedParam, COPY_PARAMS_MAX),
      flags: uint,
    }),
    nothing,
  ),
  domainBackupBegin: procedure(
    421,
    struct({ domain, backupXml: text, checkpointXml: optional(text), flags: uint }),
    nothing,
  ),
  domainBackupGetXmlDesc: procedure(422, onDomainWithFlags, anXml),
} as const;
