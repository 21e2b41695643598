import { OperationSchema, VmIdSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { type OperationOrder, type OperationService, showOperation } from './service.ts';

const VmParams = Type.Object({ id: VmIdSchema });
const ofVm = { tags: ['vms'], params: VmParams, response: answers(202, OperationSchema) };

/** `POST /v1/vms/{id}:<verb>`: one-shot actions, each answered by an operation that can be followed. */
export function vmOperationRoutes(instance: FastifyInstance, operations: OperationService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const start = async (
    request: FastifyRequest<{ Params: Type.Static<typeof VmParams> }>,
    reply: FastifyReply,
    order: OperationOrder,
  ) => {
    const { projectId } = principalOf(request);
    const operation = showOperation(await operations.start(projectId, request.params.id, order));
    const location = `/v1/operations/${operation.id}`;
    return reply.status(202).header('location', location).send(operation);
  };
  app.post(
    '/v1/vms/:id([^:/]+)::reboot',
    { schema: { ...ofVm, operationId: 'rebootVm', summary: 'Restart a running machine' } },
    (request, reply) => start(request, reply, { kind: 'reboot' }),
  );
  app.post(
    '/v1/vms/:id([^:/]+)::reset',
    { schema: { ...ofVm, operationId: 'resetVm', summary: 'Press the reset button of a machine' } },
    (request, reply) => start(request, reply, { kind: 'reset' }),
  );
}
