import { NameSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { answers } from '../http/schemas.ts';
import type { ApiStore } from '../store/api-store.ts';
import { knownImages } from './service.ts';

const ImageSchema = Type.Object({ name: NameSchema, clusters: Type.Array(Type.String()) });

/** `/v1/images` */
export function imageRoutes(instance: FastifyInstance, store: Pick<ApiStore, 'clusters'>): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/images',
    {
      schema: {
        operationId: 'listImages',
        summary: 'List the images that machines can be made from, and where',
        tags: ['images'],
        response: answers(200, Type.Object({ items: Type.Array(ImageSchema) })),
      },
    },
    async () => ({ items: [...knownImages(await store.clusters.list())] }),
  );
}
