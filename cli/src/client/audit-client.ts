import { RemoteProblemError } from '@factory/runtime';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { FactoryClient } from './factory-client.ts';

const AuditSchema = Type.Object({
  checkedAt: Type.String(),
  clean: Type.Boolean(),
  checked: Type.Object({
    vms: Type.Integer(),
    addresses: Type.Integer(),
    batches: Type.Integer(),
    clusters: Type.Integer(),
  }),
  rules: Type.Array(
    Type.Object({ name: Type.String(), says: Type.String(), breaches: Type.Integer() }),
  ),
  breaches: Type.Array(Type.Object({ rule: Type.String(), what: Type.String() })),
});
/** What breaks the rules that must hold of everything. */
export type Audit = Static<typeof AuditSchema>;
const auditAnswer = Compile(AuditSchema);

/** Checks every rule; `undefined` for who does not run the factory. @throws RemoteProblemError */
export async function auditInvariants(
  client: Pick<FactoryClient, 'call'>,
): Promise<Audit | undefined> {
  try {
    return await client.call('GET', '/v1/audit/invariants', (value) => auditAnswer.Parse(value));
  } catch (error) {
    if (error instanceof RemoteProblemError && error.status === 403) return undefined;
    throw error;
  }
}
