import { type Static, Type } from 'typebox';
import { BATCH_LIMITS } from './batch.ts';
import { BatchIdSchema, stringEnum, VmIdSchema } from './ids.ts';
import { LabelsSchema } from './vm.ts';
import { VM_STATES } from './vm-states.ts';

/** Machines of a project: these, or all that are so. */
export const VmSelectionSchema = Type.Object(
  {
    ids: Type.Optional(
      Type.Array(VmIdSchema, { minItems: 1, maxItems: BATCH_LIMITS.countMax, uniqueItems: true }),
    ),
    filter: Type.Optional(
      Type.Object(
        {
          batchId: Type.Optional(BatchIdSchema),
          state: Type.Optional(stringEnum(VM_STATES)),
          /** Of their batches; all of these. */
          labels: Type.Optional(LabelsSchema),
        },
        { additionalProperties: false, minProperties: 1 },
      ),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ filter: { labels: { team: 'render' }, state: 'running' } }],
  },
);
export type VmSelection = Static<typeof VmSelectionSchema>;
