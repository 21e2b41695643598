import { FlavorSchema, NameSchema, PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { answers } from '../http/schemas.ts';
import type { FlavorStore } from './store.ts';

const tags = ['flavors'];

/** `/v1/flavors` */
export function flavorRoutes(instance: FastifyInstance, flavors: FlavorStore): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/flavors',
    {
      schema: {
        operationId: 'listFlavors',
        summary: 'List the sizes of machines that have names',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(FlavorSchema) })),
      },
    },
    async () => ({ items: [...(await flavors.list())] }),
  );
  app.post(
    '/v1/flavors',
    {
      schema: {
        operationId: 'createFlavor',
        summary: 'Give a size of machines a name',
        tags,
        body: FlavorSchema,
        response: answers(201, FlavorSchema),
      },
    },
    async (request, reply) => {
      if (await flavors.create(request.body)) return reply.status(201).send(request.body);
      const detail = `There is a flavor ${request.body.name}; delete it first or use another name.`;
      throw new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
    },
  );
  app.delete(
    '/v1/flavors/:name',
    {
      schema: {
        operationId: 'deleteFlavor',
        summary: 'Delete a flavor; machines that were made of it stay',
        tags,
        params: Type.Object({ name: NameSchema }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      if (await flavors.remove(request.params.name)) return reply.status(204).send(null);
      throw new ProblemError(PROBLEMS.notFound, `There is no flavor ${request.params.name}.`);
    },
  );
}
