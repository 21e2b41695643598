import { type Static, Type } from 'typebox';
import { ShapeSchema } from './batch.ts';
import { ClusterIdSchema } from './ids.ts';
import { QuotaAmountsSchema } from './quota.ts';
import { NameSchema } from './vm.ts';

const PlannedMachinesSchema = Type.Object({
  shape: ShapeSchema,
  count: Type.Integer(),
});

/** What a batch would come to if it were asked for now: nothing is kept of it. */
export const BatchPlanSchema = Type.Object({
  /** Whether all of it has a place now. */
  fits: Type.Boolean(),
  clusters: Type.Array(
    Type.Object({
      id: ClusterIdSchema,
      name: NameSchema,
      machines: Type.Array(PlannedMachinesSchema),
      vcpus: Type.Integer(),
    }),
  ),
  /** Machines without a place; cores, where cores are asked for. */
  unplaced: Type.Integer(),
  /** Why these have none, in words, with counts. */
  reason: Type.Union([Type.String(), Type.Null()]),
  quota: Type.Object({
    /** The most that it would take. */
    asked: Type.Partial(QuotaAmountsSchema),
    /** The limit that it would be refused for. */
    exceeded: Type.Union([
      Type.Null(),
      Type.Object({
        scope: Type.String(),
        limit: Type.String(),
        used: Type.Integer(),
        asked: Type.Integer(),
        max: Type.Integer(),
      }),
    ]),
  }),
  /**
   * Seconds until the last of its machines would be powered on, as that took batches of late; null
   * when they do not all fit, or nothing was made of late.
   */
  estimatedSeconds: Type.Union([Type.Number(), Type.Null()]),
});
export type BatchPlan = Static<typeof BatchPlanSchema>;
