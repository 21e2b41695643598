import type { OperationRequest } from '@factory/contracts';
import { type Consoles, openConsole } from '../console/consoles.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { VmStorage } from '../storage/port.ts';
import type { Procedure } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';
import type { VmRecord } from '../vm/record.ts';
import { readLog } from './read-log.ts';
import { RESET, whyNotReset } from './reset.ts';

/** What a succeeded operation found or made, besides its success. */
export interface Answer {
  readonly output?: string;
}

/** What single calls work with. */
export interface CallContext {
  readonly hypervisor: Hypervisor;
  readonly storage: VmStorage;
  /** Absent: none can be opened. */
  readonly consoles?: Consoles;
}

/** Looks, and changes nothing: done at once, beside whatever is done for the VM. */
export interface Reading {
  readonly how: 'read';
  readonly run: (context: CallContext) => Promise<Answer>;
}

/** Steps that touch the VM, in turn with its keeper's own moves. */
export interface Stepwise {
  readonly how: 'procedure';
  /** Why it can't be done as things stand; undefined: it can. */
  readonly whyNot: (record: VmRecord) => string | undefined;
  readonly procedure: Procedure<VmSteps>;
  /**
   * When an executor ended in the middle: `again`: the next one takes the steps again, which changes
   * nothing of what was done; `unknown`: a second time would be seen, so it says that it can't tell.
   */
  readonly afterCut: 'again' | 'unknown';
}

/** How an operation is carried out. */
export type Handling =
  | Reading
  | Stepwise
  /** By the keeper itself: its two halves are wishes like any other. */
  | { readonly how: 'reboot' };

/** All that operations are made of: what a crash at every step has to be tried with. */
export const OPERATION_PROCEDURES: readonly Procedure<VmSteps>[] = [RESET];

/** How this operation is carried out. */
export function handlingOf(request: OperationRequest): Handling {
  switch (request.kind) {
    case 'readLog':
      return { how: 'read', run: ({ storage }) => readLog(request.vmId, storage) };
    case 'console':
      return { how: 'read', run: ({ consoles }) => openConsole(request, consoles) };
    case 'reboot':
      return { how: 'reboot' };
    case 'reset':
      return { how: 'procedure', whyNot: whyNotReset, procedure: RESET, afterCut: 'unknown' };
  }
}
