import { type InvariantAudit, InvariantAuditSchema } from '@factory/contracts';
import { RemoteProblemError } from '@factory/runtime';
import { Compile } from 'typebox/compile';
import type { FactoryClient } from './factory-client.ts';

const auditAnswer = Compile(InvariantAuditSchema);

/** Checks every rule; `undefined` for who does not run the factory. @throws RemoteProblemError */
export async function auditInvariants(
  client: Pick<FactoryClient, 'call'>,
): Promise<InvariantAudit | undefined> {
  try {
    return await client.call('GET', '/v1/audit/invariants', (value) => auditAnswer.Parse(value));
  } catch (error) {
    if (error instanceof RemoteProblemError && error.status === 403) return undefined;
    throw error;
  }
}
