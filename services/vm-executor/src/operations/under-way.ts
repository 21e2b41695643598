import type { OperationKind, OperationRequest } from '@factory/contracts';
import type { OperationUnderWay, VmRecord } from '../vm/record.ts';

/** An operation of this kind, as it was asked for. */
export type RequestOf<Kind extends OperationKind> = Extract<
  OperationRequest,
  { readonly kind: Kind }
>;

/** What the record says of the operation whose steps are being taken. */
export function underWay({ operation }: VmRecord): OperationUnderWay {
  if (operation !== null) return operation;
  throw new Error('no operation is under way');
}

/** Its request, when it is of one of these kinds. */
export function requestUnderWay<Kind extends OperationKind>(
  record: VmRecord,
  ...kinds: readonly Kind[]
): RequestOf<Kind> {
  const { request } = underWay(record);
  if (isOfKind(request, kinds)) return request;
  throw new Error(`${request.kind} is under way`);
}

function isOfKind<Kind extends OperationKind>(
  request: OperationRequest,
  kinds: readonly Kind[],
): request is RequestOf<Kind> {
  return kinds.some((kind) => kind === request.kind);
}

/** The record with news of the operation under way. */
export function amended(record: VmRecord, news: Partial<OperationUnderWay>): VmRecord {
  return record.operation === null
    ? record
    : { ...record, operation: { ...record.operation, ...news } };
}
