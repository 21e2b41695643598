import { PROBLEMS } from '@factory/contracts';
import type { SecretBox } from '@factory/runtime';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';

const KeyParams = Type.Object({ keyId: Type.String({ pattern: '^[\\w-]{1,64}$' }) });

/** `/internal/v1/api-keys`: how the gateway learns what signatures to expect. */
export function keyRoutes(
  instance: FastifyInstance,
  parts: { readonly store: Pick<ApiStore, 'keys'>; readonly secrets: SecretBox },
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/internal/v1/api-keys/:keyId',
    { schema: { params: KeyParams } },
    async (request, reply) => {
      const key = await parts.store.keys.find(request.params.keyId);
      if (key === undefined) throw new ProblemError(PROBLEMS.notFound, 'There is no such key.');
      const { id: keyId, organisationId, projectId, role, isPlatform, revoked } = key;
      const principal: Principal = { actor: keyId, organisationId, projectId, role, isPlatform };
      const secret = parts.secrets.open(key.sealedSecret, keyId);
      reply.header('cache-control', 'no-store');
      return { keyId, secret, principal, revoked };
    },
  );
}
