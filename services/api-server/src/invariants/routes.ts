import { InvariantAuditSchema } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { answers } from '../http/schemas.ts';
import type { ApiStore } from '../store/api-store.ts';
import { auditInvariants, INVARIANTS } from './rules.ts';

/** Told of; all are counted. */
const BREACHES_SHOWN = 500;

/** `GET /v1/audit/invariants` */
export function invariantRoutes(
  instance: FastifyInstance,
  { store, clock }: { readonly store: Pick<ApiStore, 'invariants'>; readonly clock: Clock },
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/audit/invariants',
    {
      schema: {
        operationId: 'auditInvariants',
        summary: 'Check what must hold of everything at every moment',
        tags: ['audit'],
        response: answers(200, InvariantAuditSchema),
      },
    },
    async () => {
      const nowMs = clock.nowMs();
      const snapshot = await store.invariants.snapshot(nowMs);
      const breaches = auditInvariants(snapshot);
      const { vms, heldAddresses, batches, clusters } = snapshot;
      return {
        checkedAt: new Date(nowMs).toISOString(),
        clean: breaches.length === 0,
        checked: {
          ...{ vms: vms.length, addresses: heldAddresses.length },
          ...{ batches: batches.length, clusters: clusters.length },
        },
        rules: Object.entries(INVARIANTS).map(([name, { says }]) => ({
          ...{ name, says, breaches: breaches.filter(({ rule }) => rule === name).length },
        })),
        breaches: breaches.slice(0, BREACHES_SHOWN).map(({ rule, what }) => ({ rule, what })),
      };
    },
  );
}
