import { BATCH_STATES, BatchIdSchema, BatchSchema, stringEnum } from '@factory/contracts';
import { Type } from 'typebox';
import { FilterQuery } from '../http/list-query.ts';
import { PageQuery, pageOf } from '../http/schemas.ts';

/** Longest wait for a change of a batch, below what gateways and proxies allow. */
const BATCH_WAIT_MS_MAX = 25_000;

export const BatchParams = Type.Object({ id: BatchIdSchema });

export const BatchListParams = Type.Object({
  ...PageQuery,
  ...FilterQuery,
  state: Type.Optional(stringEnum(BATCH_STATES)),
  withDeleted: Type.Boolean({ default: false, description: 'Show deleted batches too.' }),
});

export const BatchGetParams = Type.Object({
  ifChangedFrom: Type.Optional(
    Type.String({
      maxLength: 100,
      description: 'The ETag of an earlier answer: waits until the batch differs from it.',
    }),
  ),
  waitMs: Type.Integer({
    minimum: 0,
    maximum: BATCH_WAIT_MS_MAX,
    default: 0,
    description: 'How long to wait for a change; the batch as it is then is the answer.',
  }),
});

/** Of requests that may be sent again: the same key and body have the same effect, once. */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      description: 'The same key and body take effect once, however often they are sent.',
    }),
  ),
});

export const BatchPageSchema = pageOf(BatchSchema);
