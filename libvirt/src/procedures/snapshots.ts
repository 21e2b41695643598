import { arrayOf, bool, int, nothing, struct, uint } from '../xdr.ts';
import { anXml, domain, LIST_MAX, onDomainWithXml, procedure, snapshot, text } from './shapes.ts';

const onSnapshot = struct({ snapshot, flags: uint });
const aSnapshot = struct({ snapshot });

/** Snapshots of domains. */
export const SNAPSHOT_PROCEDURES = {
  domainSnapshotCreateXml: procedure(185, onDomainWithXml, aSnapshot),
  domainSnapshotGetXmlDesc: procedure(186, onSnapshot, anXml),
  domainSnapshotLookupByName: procedure(
    189,
    struct({ domain, name: text, flags: uint }),
    aSnapshot,
  ),
  domainRevertToSnapshot: procedure(192, onSnapshot, nothing),
  domainSnapshotDelete: procedure(193, onSnapshot, nothing),
  domainListAllSnapshots: procedure(
    274,
    struct({ domain, needResults: bool, flags: uint }),
    struct({ snapshots: arrayOf(snapshot, LIST_MAX), count: int }),
  ),
} as const;
