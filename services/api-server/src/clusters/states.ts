import type { ClusterState } from '@factory/contracts';

/** What a cluster in a state may do, and what may become of it. */
interface ClusterStateRule {
  readonly meaning: string;
  /** Whether it is given new machines. */
  readonly takesMachines: boolean;
  readonly next: readonly ClusterState[];
}

export const CLUSTER_STATE_TABLE: Readonly<Record<ClusterState, ClusterStateRule>> = {
  joining: {
    meaning: 'is joining: it has not passed its conformance run yet',
    takesMachines: false,
    next: ['active', 'draining', 'withdrawn', 'revoked'],
  },
  active: {
    meaning: 'is active',
    takesMachines: true,
    next: ['draining', 'withdrawn', 'revoked'],
  },
  draining: {
    meaning: 'is draining: it takes no new machines',
    takesMachines: false,
    next: ['active', 'withdrawn', 'revoked'],
  },
  withdrawn: {
    meaning: 'is withdrawn: it has no machines but those that are being deleted',
    takesMachines: false,
    next: ['active', 'revoked'],
  },
  // Only a new enrolment takes it in again.
  revoked: {
    meaning: 'is revoked: its key is refused',
    takesMachines: false,
    next: [],
  },
};

/** Whether a cluster may go from one state to the other; staying is always allowed. */
export function mayBecome(from: ClusterState, to: ClusterState): boolean {
  return from === to || CLUSTER_STATE_TABLE[from].next.includes(to);
}
