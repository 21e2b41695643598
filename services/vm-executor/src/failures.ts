import { HANDOUT_REASONS, type VmReason } from '@factory/contracts';
import { DeadlineExceededError } from '@factory/runtime';

/**
 * Something could not be done for a VM. `reason` and the message are shown to its user; the cause
 * stays in the log.
 */
export class VmFailure extends Error {
  readonly code = 'FACTORY_ERR_VM';
  readonly reason: VmReason;
  /** The same attempt may work later by itself, as when libvirtd is being restarted. */
  readonly isTransient: boolean;
  constructor(
    reason: VmReason,
    message: string,
    options: { readonly cause?: unknown; readonly isTransient?: boolean } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'VmFailure';
    this.reason = reason;
    this.isTransient = options.isTransient ?? false;
  }
}

/** Messages of observations are at most this long (contracts). */
const MESSAGE_LENGTH_MAX = 4096;

/** Why a VM is in its state: a stable code, and words for people. */
export interface Explanation {
  readonly reason: VmReason;
  readonly message: string;
}

/** What to tell the user about an error; errors of no known kind are the hypervisor's. */
export function explainFailure(error: unknown): Explanation {
  const reason = reasonOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return { reason, message: message.slice(0, MESSAGE_LENGTH_MAX) };
}

function reasonOf(error: unknown): VmReason {
  if (error instanceof VmFailure) return error.reason;
  return error instanceof DeadlineExceededError ? 'DEADLINE_EXCEEDED' : 'HYPERVISOR_ERROR';
}

/** Whether there is no room left to write to. */
export function isFullDisk(error: unknown): boolean {
  return error instanceof VmFailure && error.reason === 'DISK_FULL';
}

/** Whether its host can't give a VM what it offers. */
export function isOfHandout(error: unknown): boolean {
  return error instanceof VmFailure && HANDOUT_REASONS.has(error.reason);
}

/** Whether trying again may help without anybody changing anything. */
export function isTransientFailure(error: unknown): boolean {
  return error instanceof VmFailure && error.isTransient;
}
