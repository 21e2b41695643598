import {
  NameSchema,
  SubnetChangeSchema,
  SubnetIdSchema,
  SubnetRequestSchema,
  SubnetSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import { type SubnetService, showSubnet } from './service.ts';

const params = Type.Object({ id: SubnetIdSchema });
const tags = ['subnets'];

/** `/v1/subnets` */
export function subnetRoutes(instance: FastifyInstance, subnets: SubnetService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/subnets',
    {
      schema: {
        operationId: 'createSubnet',
        summary: 'Make a subnet',
        tags,
        body: SubnetRequestSchema,
        response: answers(201, SubnetSchema),
      },
    },
    async (request, reply) => {
      const subnet = await subnets.create(principalOf(request).projectId, request.body);
      return reply.status(201).header('location', `/v1/subnets/${subnet.id}`).send(subnet);
    },
  );
  app.get(
    '/v1/subnets',
    {
      schema: {
        operationId: 'listSubnets',
        summary: 'List subnets, oldest first',
        tags,
        querystring: Type.Object({ ...PageQuery, name: Type.Optional(NameSchema) }),
        response: answers(200, pageOf(SubnetSchema)),
      },
    },
    async (request) => {
      const { cursor, limit, ...filter } = request.query;
      const after = decodeCursor(cursor);
      const views = await subnets.list({
        ...filter,
        ...(after === undefined ? {} : { after }),
        projectId: principalOf(request).projectId,
        limit: limit + 1,
      });
      const records = views.map((view) => ({ id: view.subnet.id, view }));
      return toPage(records, limit, ({ view }) => showSubnet(view));
    },
  );
  app.get(
    '/v1/subnets/:id',
    {
      schema: {
        operationId: 'getSubnet',
        summary: 'Show a subnet',
        tags,
        params,
        response: answers(200, SubnetSchema),
      },
    },
    async (request) => subnets.get(principalOf(request).projectId, request.params.id),
  );
  app.patch(
    '/v1/subnets/:id',
    {
      schema: {
        operationId: 'changeSubnet',
        summary: 'Change the name, the egress or the security rules of a subnet',
        tags,
        params,
        body: SubnetChangeSchema,
        response: answers(200, SubnetSchema),
      },
    },
    async (request) =>
      subnets.change(principalOf(request).projectId, request.params.id, request.body),
  );
  app.delete(
    '/v1/subnets/:id',
    {
      schema: {
        operationId: 'deleteSubnet',
        summary: 'Delete a subnet without machines',
        tags,
        params,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await subnets.delete(principalOf(request).projectId, request.params.id);
      return reply.status(204).send(null);
    },
  );
}
