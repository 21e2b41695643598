import { PROBLEMS, type VmId } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { ClusterOrphan } from '../clusters/store.ts';
import { isAllowed } from '../http/access.ts';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import type { VmRecord } from '../vms/store.ts';
import type { OrphanDecision } from './store.ts';

/** Something on a host that nobody speaks for, with the machine that it belongs to, if one does. */
export interface FoundOrphan {
  readonly orphan: ClusterOrphan;
  readonly vm: VmRecord | undefined;
}

export type OrphanAction = 'adopt' | 'remove';

/** Orphans: told of, and dealt with only when a person says how. */
export class OrphanService {
  readonly #store: Pick<ApiStore, 'clusters' | 'orphans' | 'vms'>;

  constructor(store: Pick<ApiStore, 'clusters' | 'orphans' | 'vms'>) {
    this.#store = store;
  }

  /** Those of the principal's project; who runs the factory also sees those of no machine there. */
  async list(principal: Principal) {
    const found: FoundOrphan[] = [];
    for (const orphan of await this.#store.clusters.orphans()) {
      const vm = await this.#store.vms.find(principal.projectId, orphan.vmId);
      if (vm !== undefined || isAllowed(principal, 'operate')) found.push({ orphan, vm });
    }
    return found;
  }

  /** @throws ProblemError 404, or 409 with what to do. */
  async act(principal: Principal, vmId: VmId, action: OrphanAction): Promise<FoundOrphan> {
    const all = await this.list(principal);
    const found = all.find(({ orphan }) => orphan.vmId === vmId);
    if (found === undefined) {
      throw new ProblemError(PROBLEMS.notFound, `No host has an orphan ${vmId}.`);
    }
    const { orphan } = found;
    const decide = (vm: VmRecord) => decideOrphan(action, vm, orphan);
    const result = await this.#store.orphans.give(principal.projectId, orphan, decide);
    if (result.kind === 'allowed') return found;
    const detail =
      result.kind === 'refused'
        ? result.detail
        : `The project has no machine ${vmId}: it can only be removed on ${orphan.hostName} itself.`;
    throw new ProblemError(PROBLEMS.wrongState, detail);
  }
}

/** Whether the machine may be taken up (or cleaned up) where the orphan is. Pure. */
export function decideOrphan(
  action: OrphanAction,
  vm: Pick<VmRecord, 'name' | 'state' | 'hostName' | 'clusterId'>,
  orphan: Pick<ClusterOrphan, 'hostName' | 'clusterId'>,
): OrphanDecision {
  const refused = (detail: string): OrphanDecision => ({ kind: 'refused', detail });
  if (orphan.hostName === '') return refused('Its host is not known at present; try again later.');
  if (action === 'remove') {
    if (vm.state === 'deleted') return { kind: 'allowed' };
    return refused(`${vm.name} is not deleted; delete it first, or adopt what was found.`);
  }
  if (vm.state === 'deleted') return refused(`${vm.name} is deleted; remove what was found.`);
  if (vm.clusterId !== orphan.clusterId) return refused(`${vm.name} is in another cluster.`);
  if (vm.state === 'failed' || vm.state === 'scheduled') return { kind: 'allowed' };
  return refused(`${vm.name} is ${vm.state} on ${vm.hostName}; only one of the two can go on.`);
}
