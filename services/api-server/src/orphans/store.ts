import type { ProjectId, VmId } from '@factory/contracts';
import type { ClusterOrphan } from '../clusters/store.ts';
import type { VmRecord } from '../vms/store.ts';

/** Whether a machine may be given to the host that has something of it; in words why not. */
export type OrphanDecision =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly detail: string };

/** Every method is one transaction. */
export interface OrphanStore {
  /**
   * Gives the machine to its cluster anew, to be taken up on the orphan's host with what is wished
   * of it now, if `decide` allows it.
   */
  give(
    projectId: ProjectId,
    orphan: ClusterOrphan & { readonly vmId: VmId },
    decide: (vm: VmRecord) => OrphanDecision,
  ): Promise<OrphanDecision | { readonly kind: 'notFound' }>;
}
