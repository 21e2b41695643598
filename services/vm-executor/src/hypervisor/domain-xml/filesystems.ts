import { join } from 'node:path';
import type { DomainPlan, PlannedFilesystem } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';

/** Folders of the host that the guest mounts by their tags. */
export function filesystems(plan: DomainPlan): readonly XmlElement[] {
  return (plan.filesystems ?? []).map(filesystem);
}

/** One of them, also as it is plugged into a guest that runs. */
export function filesystem(each: PlannedFilesystem): XmlElement {
  return each.transport === 'virtiofs' ? virtiofs(each) : ninep(each);
}

const PROGRAMS = join(import.meta.dirname, '../../../libexec');
/** libvirt has no read-only virtiofs: this virtiofsd sees a folder that can't be written. */
const READ_ONLY_PROGRAM = join(PROGRAMS, 'virtiofsd-read-only');
/** One that can be kept from writing while it runs. */
const WRITABLE_PROGRAM = join(PROGRAMS, 'virtiofsd-writable');

/** A virtiofsd of its own, which libvirt starts, serves it with the guest's own users. */
function virtiofs({ path, tag, readOnly }: PlannedFilesystem): XmlElement {
  return xml(
    'filesystem',
    { type: 'mount', accessmode: 'passthrough' },
    xml('driver', { type: 'virtiofs' }),
    xml('binary', { path: readOnly ? READ_ONLY_PROGRAM : WRITABLE_PROGRAM }),
    xml('source', { dir: path }),
    xml('target', { dir: tag }),
  );
}

/**
 * QEMU itself serves it, as a user who may not give files away: owners and modes that the guest sets
 * are kept in extended attributes (`mapped`).
 */
function ninep({ path, tag, readOnly }: PlannedFilesystem): XmlElement {
  return xml(
    'filesystem',
    { type: 'mount', accessmode: 'mapped' },
    xml('driver', { type: 'path' }),
    xml('source', { dir: path }),
    xml('target', { dir: tag }),
    ...(readOnly ? [xml('readonly')] : []),
  );
}
