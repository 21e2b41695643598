import { PROBLEMS } from '@factory/contracts';
import type { Clock, SecretBox } from '@factory/runtime';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Principal } from '../http/principal.ts';
import type { ApiStore } from '../store/api-store.ts';
import { keyState } from './key-state.ts';
import type { UseLog } from './use-log.ts';

const KeyParams = Type.Object({ keyId: Type.String({ pattern: '^[\\w-]{1,64}$' }) });

/** `/internal/v1/api-keys`: how the gateway learns what signatures to expect. */
export function internalKeyRoutes(
  instance: FastifyInstance,
  parts: {
    readonly store: Pick<ApiStore, 'keys'>;
    readonly secrets: SecretBox;
    readonly clock: Clock;
    readonly uses: UseLog;
  },
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/internal/v1/api-keys/:keyId',
    { schema: { params: KeyParams } },
    async (request, reply) => {
      const key = await parts.store.keys.find(request.params.keyId);
      if (key === undefined) throw new ProblemError(PROBLEMS.notFound, 'There is no such key.');
      const { id: keyId, organisationId, projectId, role, scope, isPlatform, allowsUcloud } = key;
      const who = { actor: keyId, organisationId, projectId, role, scope, isPlatform };
      const principal: Principal = who;
      const isActive = keyState(key, parts.clock.nowMs()) === 'active';
      const revoked = !isActive || key.isProjectClosed;
      const secret = parts.secrets.open(key.sealedSecret, keyId);
      if (!revoked) parts.uses.note(keyId);
      reply.header('cache-control', 'no-store');
      return { keyId, secret, principal, revoked, allowsUcloud };
    },
  );
}
