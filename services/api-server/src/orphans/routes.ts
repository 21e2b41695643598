import { HostOrphanSchema, NameSchema, VmIdSchema, VmStateSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
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
  const act = (action: OrphanAction, summary: string): void => {
    app.post(
      `/v1/orphans/:id([^:/]+)::${action}`,
      {
        schema: {
          operationId: `${action}Orphan`,
          summary,
          tags,
          params: Type.Object({ id: VmIdSchema }),
          response: answers(202, OrphanItemSchema),
        },
      },
      async (request, reply) => {
        const found = await orphans.act(principalOf(request), request.params.id, action);
        return reply.status(202).send(showOrphan(found));
      },
    );
  };
  act('adopt', 'Take a machine up where something of it was found');
  act('remove', 'Remove what was found of a machine that is deleted');
}

function showOrphan({ orphan, vm }: FoundOrphan): Static<typeof OrphanItemSchema> {
  const { vmId, agentId, hostName, hasDomain, hasFiles, clusterName: cluster } = orphan;
  const shown = vm === undefined ? null : { name: vm.name, state: vm.state, hostName: vm.hostName };
  return { vmId, agentId, hostName, hasDomain, hasFiles, cluster, vm: shown };
}
