import {
  OPERATION_KINDS,
  OperationIdSchema,
  OperationProgressSchema,
  stringEnum,
  VmIdSchema,
} from '@factory/contracts';
import { Type } from 'typebox';
import { OPERATION_STATES } from './store.ts';

/** A one-shot action on a machine, as the API shows it. */
export const OperationSchema = Type.Object({
  id: OperationIdSchema,
  vmId: VmIdSchema,
  kind: stringEnum(OPERATION_KINDS),
  state: stringEnum(OPERATION_STATES),
  /** While it runs, once its host has said how far it is. */
  progress: Type.Union([Type.Pick(OperationProgressSchema, ['stage', 'percent']), Type.Null()]),
  message: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});

export const OperationParams = Type.Object({ id: OperationIdSchema });
