import type { OperationData, OperationRequest } from '@factory/contracts';
import { type Consoles, openConsole } from '../console/consoles.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import type { MetricsHistory } from '../metrics/history.ts';
import type { VmStorage } from '../storage/port.ts';
import type { Procedure } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';
import type { OperationUnderWay, VmRecord } from '../vm/record.ts';
import { addSshKey, setPassword, whyNoGuest } from './guest-access.ts';
import { MAKE_IMAGE, MAKE_IMAGE_UNDONE, whyNoImage } from './make-image.ts';
import { readLog } from './read-log.ts';
import { RESET, whyNotReset } from './reset.ts';
import { takeScreenshot } from './screenshot/screenshot.ts';
import {
  DELETE_SNAPSHOT,
  listSnapshots,
  REVERT,
  REVERT_OFF,
  SNAPSHOT,
  SNAPSHOT_UNDONE,
  whyNoDisk,
} from './snapshots.ts';

/** What a succeeded operation found or made, besides its success. */
export interface Answer {
  readonly output?: string;
  readonly data?: OperationData;
}

/** What single calls work with. */
export interface CallContext {
  readonly hypervisor: Hypervisor;
  readonly storage: VmStorage;
  /** Absent: none can be opened. */
  readonly consoles?: Consoles;
  /** Absent: nothing is measured. */
  readonly history?: MetricsHistory;
}

/** Looks, and changes nothing: done at once, beside whatever is done for the VM. */
export interface Reading {
  readonly how: 'read';
  readonly run: (context: CallContext) => Promise<Answer>;
}

/** One call about the VM, in turn with its keeper's own moves. Made twice, it changes nothing. */
export interface Calling {
  readonly how: 'call';
  readonly whyNot: (record: VmRecord) => string | undefined;
  /** What is waited for, in words for people. */
  readonly waitsFor: string;
  readonly run: (context: CallContext, signal: AbortSignal) => Promise<void>;
}

/** Steps that touch the VM, in turn with its keeper's own moves. */
export interface Stepwise {
  readonly how: 'procedure';
  /** Why it can't be done as things stand; undefined: it can. */
  readonly whyNot: (record: VmRecord) => string | undefined;
  readonly procedure: (underWay: OperationUnderWay) => Procedure<VmSteps>;
  /** Takes back what was made when it fails; absent: nothing that would be in the way. */
  readonly undone?: Procedure<VmSteps>;
  /**
   * When an executor ended in the middle: `again`: the next one takes the steps again, which changes
   * nothing of what was done; `unknown`: a second time would be seen, so it says that it can't tell.
   */
  readonly afterCut: 'again' | 'unknown';
  /** A newer wish ends it: it may take long, and who wishes something else shall not wait. */
  readonly givesWay?: true;
  readonly answer?: (underWay: OperationUnderWay) => Answer;
}

/** How an operation is carried out. */
export type Handling =
  | Reading
  | Calling
  | Stepwise
  /** By the keeper itself: its two halves are wishes like any other. */
  | { readonly how: 'reboot' }
  /** By the queue itself: it is about another operation. */
  | { readonly how: 'cancel' };

/** All that operations are made of: what a crash at every step has to be tried with. */
export const OPERATION_PROCEDURES: readonly Procedure<VmSteps>[] = [
  RESET,
  SNAPSHOT,
  SNAPSHOT_UNDONE,
  DELETE_SNAPSHOT,
  REVERT,
  REVERT_OFF,
  MAKE_IMAGE,
  MAKE_IMAGE_UNDONE,
];

const askingGuest = { how: 'call', whyNot: whyNoGuest, waitsFor: "the guest's agent" } as const;
const stepwise = { how: 'procedure', afterCut: 'again', whyNot: whyNoDisk } as const;

/** How this operation is carried out. */
export function handlingOf(request: OperationRequest): Handling {
  switch (request.kind) {
    case 'readLog':
      return { how: 'read', run: ({ storage }) => readLog(request.vmId, storage) };
    case 'console':
      return { how: 'read', run: ({ consoles }) => openConsole(request, consoles) };
    case 'screenshot':
      return { how: 'read', run: ({ hypervisor }) => takeScreenshot(request.vmId, hypervisor) };
    case 'metricsHistory':
      return {
        how: 'read',
        run: async ({ history }) => {
          const samples = [...(history?.of(request.vmId, request.params.sinceMs ?? 0) ?? [])];
          return { data: { kind: 'metricsHistory', samples } };
        },
      };
    case 'listSnapshots':
      return {
        how: 'read',
        run: async ({ storage }) => {
          const snapshots = [...(await listSnapshots(request.vmId, storage))];
          return { data: { kind: 'listSnapshots', snapshots } };
        },
      };
    case 'setPassword':
      return { ...askingGuest, run: (context, signal) => setPassword(request, context, signal) };
    case 'addSshKey':
      return { ...askingGuest, run: (context, signal) => addSshKey(request, context, signal) };
    case 'reboot':
      return { how: 'reboot' };
    case 'cancel':
      return { how: 'cancel' };
    case 'reset':
      return {
        ...{ how: 'procedure', afterCut: 'unknown' },
        whyNot: whyNotReset,
        procedure: () => RESET,
      };
    case 'snapshot':
      return {
        ...stepwise,
        procedure: () => SNAPSHOT,
        undone: SNAPSHOT_UNDONE,
        answer: ({ isQuiesced }) => ({ data: { kind: 'snapshot', isQuiesced } }),
      };
    case 'deleteSnapshot':
      return { ...stepwise, procedure: () => DELETE_SNAPSHOT };
    case 'revert':
      return { ...stepwise, procedure: ({ wasOn }) => (wasOn ? REVERT : REVERT_OFF) };
    case 'makeImage':
      return {
        ...stepwise,
        whyNot: whyNoImage,
        procedure: () => MAKE_IMAGE,
        undone: MAKE_IMAGE_UNDONE,
        givesWay: true,
        answer: ({ made }) => (made === undefined ? {} : { data: made }),
      };
  }
}
