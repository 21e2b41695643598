import { NameSchema, VolumeIdSchema, VolumeRequestSchema, VolumeSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import { showVolume, type VolumeService } from './service.ts';

const params = Type.Object({ id: VolumeIdSchema });
const tags = ['volumes'];

/** `/v1/volumes` */
export function volumeRoutes(instance: FastifyInstance, volumes: VolumeService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/volumes',
    {
      schema: {
        operationId: 'createVolume',
        summary: 'Make a volume for machines to keep files in',
        tags,
        body: VolumeRequestSchema,
        response: answers(201, VolumeSchema),
      },
    },
    async (request, reply) => {
      const volume = await volumes.create(principalOf(request).projectId, request.body);
      return reply.status(201).header('location', `/v1/volumes/${volume.id}`).send(volume);
    },
  );
  app.get(
    '/v1/volumes',
    {
      schema: {
        operationId: 'listVolumes',
        summary: 'List volumes, oldest first',
        tags,
        querystring: Type.Object({ ...PageQuery, name: Type.Optional(NameSchema) }),
        response: answers(200, pageOf(VolumeSchema)),
      },
    },
    async (request) => {
      const { cursor, limit, ...filter } = request.query;
      const after = decodeCursor(cursor);
      const { projectId } = principalOf(request);
      const from = after === undefined ? {} : { after };
      const found = await volumes.list({ ...filter, ...from, projectId, limit: limit + 1 });
      const records = found.map((view) => ({ id: view.volume.id, view }));
      return toPage(records, limit, ({ view }) => showVolume(view));
    },
  );
  app.get(
    '/v1/volumes/:id',
    {
      schema: {
        operationId: 'getVolume',
        summary: 'Show a volume',
        tags,
        params,
        response: answers(200, VolumeSchema),
      },
    },
    async (request) => volumes.get(principalOf(request).projectId, request.params.id),
  );
  app.delete(
    '/v1/volumes/:id',
    {
      schema: {
        operationId: 'deleteVolume',
        summary: 'Delete a volume that no machine has, with all that is in it',
        tags,
        params,
        response: answers(202, VolumeSchema),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      return reply.status(202).send(await volumes.delete(projectId, request.params.id));
    },
  );
}
