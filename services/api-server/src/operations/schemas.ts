import { OperationIdSchema } from '@factory/contracts';
import { Type } from 'typebox';

export const OperationParams = Type.Object({ id: OperationIdSchema });
