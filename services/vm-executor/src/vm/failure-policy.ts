import { VM_STATE_TABLE } from '@factory/contracts';
import {
  type Explanation,
  explainFailure,
  isFullDisk,
  isOfHandout,
  isTransientFailure,
} from '../failures.ts';
import type { VmRecord } from './record.ts';

/** What becomes of a VM when a move failed. */
export type FailureResponse =
  /** Look again after a pause. */
  | { readonly kind: 'retry' }
  /** The VM was never whole: remove what was made of it, then report why. */
  | { readonly kind: 'abandonMaking'; readonly why: Explanation }
  /** The VM stays, with its disk, as `failed`; what passes by itself leaves the wish open. */
  | { readonly kind: 'fail'; readonly why: Explanation; readonly isWishOpen: boolean };

/** The answer to a failed move; `isOverdue`: the deadline of the VM's state has passed. */
export function respondToFailure(
  record: VmRecord,
  error: unknown,
  isOverdue: boolean,
): FailureResponse {
  const isWishOpen = isTransientFailure(error);
  // A machine that was never made may find room elsewhere, rather than wait for it here.
  const isOfHost = isFullDisk(error) || isOfHandout(error);
  const isHopeless = isOfHost && !record.isMade && record.desired !== 'deleted';
  if (isWishOpen && !isOverdue && !isHopeless) return { kind: 'retry' };
  const why = explainFailure(error);
  if (record.desired === 'deleted' || record.makingFailure !== null) {
    // Removing never gives up; but past its deadline the user is told what is in the way.
    return isOverdue ? { kind: 'fail', why, isWishOpen: true } : { kind: 'retry' };
  }
  if (!record.isMade) return { kind: 'abandonMaking', why };
  // In a lasting state nothing was being done: only the look at the domain can have failed.
  const isTransitional = VM_STATE_TABLE[record.state].kind === 'transitional';
  return isTransitional ? { kind: 'fail', why, isWishOpen } : { kind: 'retry' };
}
