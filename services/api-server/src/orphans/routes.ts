import {
  HostOrphanSchema,
  NameSchema,
  type VmId,
  VmIdSchema,
  VmStateSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { FoundOrphan, OrphanAction, OrphanService } from './service.ts';

const OrphanItemSchema = Type.Object({
  ...HostOrphanSchema.properties,
  cluster: Type.String(),
  /** `null` when the project has no such machine. */
  vm: Type.Union([
    Type.Null(),
    Type.Object({
      name: NameSchema,
      state: VmStateSchema,
      hostName: Type.Union([Type.String(), Type.Null()]),
    }),
  ]),
});

const tags = ['orphans'];

/** `/v1/orphans` */
export function orphanRoutes(instance: FastifyInstance, orphans: OrphanService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/orphans',
    {
      schema: {
        operationId: 'listOrphans',
        summary: 'List what is on hosts without anything that speaks for it',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(OrphanItemSchema) })),
      },
    },
    async (request) => ({ items: (await orphans.list(principalOf(request))).map(showOrphan) }),
  );
  const act = async (request: FastifyRequest, id: VmId, action: OrphanAction) =>
    showOrphan(await orphans.act(principalOf(request), id, action));
  app.post(
    '/v1/orphans/:id([^:/]+)::adopt',
    { schema: actionSchema('adopt', 'Take a machine up where something of it was found') },
    async (request, reply) =>
      reply.status(202).send(await act(request, request.params.id, 'adopt')),
  );
  app.post(
    '/v1/orphans/:id([^:/]+)::remove',
    { schema: actionSchema('remove', 'Remove what was found of a machine that is deleted') },
    async (request, reply) =>
      reply.status(202).send(await act(request, request.params.id, 'remove')),
  );
}

function actionSchema(action: OrphanAction, summary: string) {
  const operationId = `${action}Orphan`;
  const params = Type.Object({ id: VmIdSchema });
  return { operationId, summary, tags, params, response: answers(202, OrphanItemSchema) };
}

function showOrphan({ orphan, vm }: FoundOrphan): Static<typeof OrphanItemSchema> {
  const { vmId, agentId, hostName, hasDomain, hasFiles, clusterName: cluster } = orphan;
  const hasCards = orphan.hasCards ?? false;
  const shown = vm === undefined ? null : { name: vm.name, state: vm.state, hostName: vm.hostName };
  return { vmId, agentId, hostName, hasDomain, hasFiles, hasCards, cluster, vm: shown };
}
