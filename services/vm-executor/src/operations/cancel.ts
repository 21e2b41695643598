import type { OperationKind, OperationResult } from '@factory/contracts';
import type { OperationUnderWay, VmRecord } from '../vm/record.ts';
import { handlingOf } from './handling.ts';
import { withResult } from './outcome.ts';
import { amended, type RequestOf } from './under-way.ts';

/** Told to whoever asked for what was cancelled. */
const CANCELLED = { reason: 'CANCELLED', message: 'It was cancelled.' } as const;

/** What a wish to cancel makes of a machine's record, and what to answer to it. */
interface Cancelling {
  readonly record: VmRecord;
  readonly answer: Pick<OperationResult, 'outcome' | 'message'>;
}

const done = { outcome: 'succeeded', message: '' } as const;

/**
 * What becomes of an operation that is to end: one under way fails, and is taken back; one that has
 * not begun here never will, even if it is yet to come. Asked twice, the second changes nothing. Pure.
 */
export function cancel(record: VmRecord, { vmId, params }: RequestOf<'cancel'>): Cancelling {
  const { operationId } = params;
  const ended = record.operations.find((each) => each.operationId === operationId);
  if (ended !== undefined) {
    const message = `It had ${ended.outcome} already.`;
    const isOurs = ended.reason === CANCELLED.reason;
    return { record, answer: isOurs ? done : { outcome: 'failed', message } };
  }
  if (record.operation?.request.operationId === operationId) {
    return canEnd(record, operationId)
      ? { record: amended(record, { failure: CANCELLED }), answer: done }
      : { record, answer: whyNot(record.operation) };
  }
  if (record.reboot?.operationId === operationId) {
    return { record, answer: tooLate('reboot') };
  }
  const result = { operationId, vmId, outcome: 'failed', output: '', ...CANCELLED } as const;
  return { record: withResult(record, result), answer: done };
}

/** Whether this operation is under way, and can still be taken back. */
export function canEnd({ operation }: VmRecord, operationId: string): boolean {
  if (operation?.request.operationId !== operationId) return false;
  const handling = handlingOf(operation.request);
  const canBeUndone = handling.how === 'procedure' && handling.undone !== undefined;
  return canBeUndone && operation.failure === null && operation.made === undefined;
}

function whyNot({ request, failure, made }: OperationUnderWay): Cancelling['answer'] {
  if (failure?.reason === CANCELLED.reason) return done;
  if (failure !== null) {
    const message = `It has failed already, and is being taken back: ${failure.message}`;
    return { outcome: 'failed', message };
  }
  if (made === undefined) return tooLate(request.kind);
  return { outcome: 'failed', message: 'Its image is published already; delete that.' };
}

function tooLate(kind: OperationKind): Cancelling['answer'] {
  const message = `A ${kind} that has begun can't be cancelled; wait for its end.`;
  return { outcome: 'failed', message };
}
