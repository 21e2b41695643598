import { HUGEPAGE_MIB } from '@factory/contracts';
import { formatCpuList } from '../../hardware/cpu-list.ts';
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

/**
 * The NUMA nodes of the host that memory comes from, one for each of the guest's. Huge pages are
 * known to be there; other memory rather comes from another node than not at all.
 */
export function memoryPlacement({ hardware, memoryNodes = [] }: DomainPlan): readonly XmlElement[] {
  if (memoryNodes.length === 0) return [];
  const mode = hardware?.cpu?.hugepages === undefined ? 'preferred' : 'strict';
  const [nodeset] = memoryNodes;
  if (memoryNodes.length === 1) return [xml('numatune', {}, xml('memory', { mode, nodeset }))];
  const cells = memoryNodes.map((node, cellid) => xml('memnode', { cellid, mode, nodeset: node }));
  const all = xml('memory', { mode: 'strict', nodeset: formatCpuList(memoryNodes) });
  return [xml('numatune', {}, all, ...cells)];
}
