import { HUGEPAGE_MIB } from '@factory/contracts';
import type { DomainPlan } from '../domain-plan.ts';
import { type XmlElement, xml } from '../xml.ts';

/** Where the guest's memory comes from, when it is not plain memory of QEMU alone. */
export function memoryBacking({ hardware, filesystems }: DomainPlan): readonly XmlElement[] {
  const size = hardware?.cpu?.hugepages;
  const pages =
    size === undefined
      ? []
      : [xml('hugepages', {}, xml('page', { size: HUGEPAGE_MIB[size], unit: 'MiB' }))];
  // virtiofsd reads and writes files from the guest's own memory (vhost-user).
  const isShared = filesystems?.some(({ transport }) => transport === 'virtiofs') ?? false;
  const shared = [xml('source', { type: 'memfd' }), xml('access', { mode: 'shared' })];
  const children = [...pages, ...(isShared ? shared : [])];
  return children.length === 0 ? [] : [xml('memoryBacking', {}, ...children)];
}
