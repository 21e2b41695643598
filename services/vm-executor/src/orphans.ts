import type { Orphan, VmId } from '@factory/contracts';
import type { Hypervisor } from './hypervisor/port.ts';
import type { VmStorage } from './storage/port.ts';

/** What is on this host in our name, and no task speaks for it. */
export interface Orphans {
  readonly domains: readonly VmId[];
  /** VMs with a folder or a lease file. */
  readonly folders: readonly VmId[];
}

/** Looks for orphans. They are only told of, never removed: their task may come yet (rule 6). */
export async function findOrphans(options: {
  readonly hypervisor: Hypervisor;
  readonly storage: VmStorage;
  readonly isKept: (vmId: VmId) => boolean;
}): Promise<Orphans> {
  const { hypervisor, storage, isKept } = options;
  const domains = (await hypervisor.listDomains()).map(({ vmId }) => vmId);
  const folders = new Set([...(await storage.listVms()), ...(await storage.listLeases())]);
  const isOrphan = (vmId: VmId): boolean => !isKept(vmId);
  return { domains: domains.filter(isOrphan), folders: [...folders].filter(isOrphan) };
}

/** Those that still are, as the scheduler is told of them. */
export function asReported(
  { domains, folders }: Orphans,
  isStill: (vmId: VmId) => boolean,
): readonly Orphan[] {
  const [withDomain, withFiles] = [new Set(domains), new Set(folders)];
  return [...withDomain.union(withFiles)].filter(isStill).map((vmId) => ({
    vmId,
    hasDomain: withDomain.has(vmId),
    hasFiles: withFiles.has(vmId),
  }));
}
