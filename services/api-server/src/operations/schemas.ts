import { OPERATION_KINDS, OperationIdSchema, stringEnum, VmIdSchema } from '@factory/contracts';
import { Type } from 'typebox';
import { OPERATION_STATES } from './store.ts';

/** A one-shot action on a machine, as the API shows it. */
export const OperationSchema = Type.Object({
  id: OperationIdSchema,
  vmId: VmIdSchema,
  kind: stringEnum(OPERATION_KINDS),
  state: stringEnum(OPERATION_STATES),
  message: Type.String(),
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});

export const OperationParams = Type.Object({ id: OperationIdSchema });
