import { ConsoleRequestSchema, ConsoleTicketSchema, VmIdSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { ConsoleTickets } from './tickets.ts';

/** `POST /v1/vms/{id}:console`; the sockets are in sockets.ts. */
export function consoleRoutes(instance: FastifyInstance, tickets: ConsoleTickets): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/vms/:id([^:/]+)::console',
    {
      schema: {
        operationId: 'openConsole',
        summary: "Get a one-time ticket for a machine's console",
        tags: ['vms'],
        params: Type.Object({ id: VmIdSchema }),
        body: ConsoleRequestSchema,
        response: answers(201, ConsoleTicketSchema),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const ticket = await tickets.issue(projectId, request.params.id, request.body.kind);
      return reply.status(201).header('cache-control', 'no-store').send(ticket);
    },
  );
}
