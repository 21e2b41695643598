import { type Static, Type } from 'typebox';
import { RequirementsSchema } from './requirements.ts';

const WordsSchema = Type.Array(Type.String({ minLength: 1, maxLength: 63 }), {
  minItems: 1,
  maxItems: 64,
});

/** Which clusters a batch may be in: all that is given must hold. */
export const ClusterSelectorSchema = Type.Object(
  {
    /** One of these, by name. */
    names: Type.Optional(WordsSchema),
    /** In one of these regions. */
    regions: Type.Optional(WordsSchema),
    /** Rules on the cluster's own attributes, as `requirements` are on those of hosts. */
    attributes: Type.Optional(RequirementsSchema),
  },
  { additionalProperties: false },
);
export type ClusterSelector = Static<typeof ClusterSelectorSchema>;

export const PRIORITY_LIMITS = { min: -100, max: 100 } as const;
/** Batches with a higher one are planned first; 0 when it is not said. */
export const PrioritySchema = Type.Integer({
  minimum: PRIORITY_LIMITS.min,
  maximum: PRIORITY_LIMITS.max,
});

/** What a policy says of a cluster, for a project or for all projects of an organisation. */
export const POLICY_KINDS = ['allowed', 'preferred', 'dedicated'] as const;
export type PolicyKind = (typeof POLICY_KINDS)[number];
