import { type Static, Type } from 'typebox';

/** What breaks the rules that must hold of everything: the answer of `GET /v1/audit/invariants`. */
export const InvariantAuditSchema = Type.Object({
  checkedAt: Type.String({ format: 'date-time' }),
  clean: Type.Boolean(),
  /** How much was looked at. */
  checked: Type.Object({
    vms: Type.Integer(),
    addresses: Type.Integer(),
    batches: Type.Integer(),
    clusters: Type.Integer(),
  }),
  rules: Type.Array(
    Type.Object({ name: Type.String(), says: Type.String(), breaches: Type.Integer() }),
  ),
  /** The first ones; `rules` counts all. */
  breaches: Type.Array(Type.Object({ rule: Type.String(), what: Type.String() })),
});
export type InvariantAudit = Static<typeof InvariantAuditSchema>;
