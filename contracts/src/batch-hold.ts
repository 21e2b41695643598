import { type Static, Type } from 'typebox';
import { BatchRequestSchema } from './batch.ts';
import { BatchPlanSchema } from './batch-plan.ts';
import { HoldIdSchema } from './ids.ts';

const { holdId: _, adminPassword: __, ...ASKED } = BatchRequestSchema.properties;

/** `POST /v1/batches:hold`: a batch that is to be asked for soon. */
export const HoldRequestSchema = Type.Object(
  {
    ...ASKED,
    /** How long its room is kept. */
    holdSeconds: Type.Optional(Type.Integer({ minimum: 10, maximum: 3600 })),
  },
  { additionalProperties: false },
);
export type HoldRequest = Static<typeof HoldRequestSchema>;

/** Room that is kept until then; `POST /v1/batches {holdId}` makes the batch of it. */
export const HoldSchema = Type.Object({
  id: HoldIdSchema,
  expiresAt: Type.String({ format: 'date-time' }),
  plan: BatchPlanSchema,
});
export type Hold = Static<typeof HoldSchema>;
