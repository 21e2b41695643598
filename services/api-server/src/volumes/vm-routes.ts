import { BatchVolumeSchema, NameSchema, VmIdSchema, VmSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { attachVolume, detachVolume } from './attach.ts';
import type { VolumeService } from './service.ts';

const params = Type.Object({ id: VmIdSchema });
const schema = { tags: ['vms'], params, response: answers(202, VmSchema) };

/** `/v1/vms/{id}:attachVolume` and its counterpart. */
export function vmVolumeRoutes(instance: FastifyInstance, volumes: VolumeService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/vms/:id([^:/]+)::attachVolume',
    {
      schema: {
        ...schema,
        operationId: 'attachVolume',
        summary: 'Give a running or stopped machine a volume',
        body: BatchVolumeSchema,
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { params: at, body } = request;
      const vm = await volumes.change(projectId, at.id, body.volume, attachVolume(body));
      return reply.status(202).send(vm);
    },
  );
  app.post(
    '/v1/vms/:id([^:/]+)::detachVolume',
    {
      schema: {
        ...schema,
        operationId: 'detachVolume',
        summary: 'Take a volume from a running or stopped machine',
        body: Type.Object({ volume: NameSchema }, { additionalProperties: false }),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { volume } = request.body;
      const vm = await volumes.change(projectId, request.params.id, volume, detachVolume);
      return reply.status(202).send(vm);
    },
  );
}
