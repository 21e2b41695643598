import {
  BatchIdSchema,
  ClusterIdSchema,
  DiskGiBSchema,
  MemoryMiBSchema,
  NameSchema,
  VcpusSchema,
  VmChangeSchema,
  VmIdSchema,
  VmSchema,
  VmStateSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { goneSignal } from '../http/gone.ts';
import { FilterQuery, readFilter, toOrderedPage } from '../http/list-query.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import type { OperationService } from '../operations/service.ts';
import { vmOperationRoutes } from '../operations/vm-routes.ts';
import type { VmService } from './service.ts';
import { showVm } from './view.ts';

const VmParams = Type.Object({ id: VmIdSchema });
const VmListParams = Type.Object({
  ...PageQuery,
  ...FilterQuery,
  batchId: Type.Optional(BatchIdSchema),
  clusterId: Type.Optional(ClusterIdSchema),
  host: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  state: Type.Optional(VmStateSchema),
  withDeleted: Type.Boolean({ default: false, description: 'Show deleted machines too.' }),
});
const tags = ['vms'];

const LOG = { kind: 'readLog' } as const;

interface VmRouteParts {
  readonly vms: VmService;
  readonly operations: OperationService;
}

/** `/v1/vms` */
export function vmRoutes(instance: FastifyInstance, parts: VmRouteParts): void {
  readingRoutes(instance, parts);
  wishRoutes(instance, parts);
  specRoutes(instance, parts);
  vmOperationRoutes(instance, parts.operations);
}

function readingRoutes(instance: FastifyInstance, { vms, operations }: VmRouteParts): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/vms',
    {
      schema: {
        operationId: 'listVms',
        summary: 'List machines, oldest first unless sorted otherwise',
        tags,
        querystring: VmListParams,
        response: answers(200, pageOf(VmSchema)),
      },
    },
    async (request) => {
      const { limit, batchId, clusterId, host, state, withDeleted, ...given } = request.query;
      const found = await vms.list({
        ...readFilter(given),
        ...(batchId === undefined ? {} : { batchId }),
        ...(clusterId === undefined ? {} : { clusterId }),
        ...(host === undefined ? {} : { hostName: host }),
        ...(state === undefined ? {} : { state }),
        projectId: principalOf(request).projectId,
        withDeleted,
        limit: limit + 1,
      });
      return toOrderedPage(found, limit, given.sort, showVm);
    },
  );
  app.get(
    '/v1/vms/:id',
    {
      schema: {
        operationId: 'getVm',
        summary: 'Show a machine',
        tags,
        params: VmParams,
        response: answers(200, VmSchema),
      },
    },
    async (request) => vms.get(principalOf(request).projectId, request.params.id),
  );
  app.get(
    '/v1/vms/:id/logs',
    {
      schema: {
        operationId: 'getVmLogs',
        summary: "Read the end of a machine's serial console",
        tags,
        params: VmParams,
        produces: ['text/plain'],
        response: answers(200, Type.String()),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const { output } = await operations.read(projectId, id, LOG, goneSignal(reply));
      return reply.type('text/plain; charset=utf-8').serializer(String).send(output);
    },
  );
}

function wishRoutes(instance: FastifyInstance, { vms }: Pick<VmRouteParts, 'vms'>): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const schema = { tags, params: VmParams, response: answers(202, VmSchema) };
  app.post(
    '/v1/vms/:id([^:/]+)::start',
    { schema: { ...schema, operationId: 'startVm', summary: 'Start a stopped machine' } },
    async (request, reply) => {
      const vm = await vms.wish(principalOf(request).projectId, request.params.id, 'start');
      return reply.status(202).send(vm);
    },
  );
  app.post(
    '/v1/vms/:id([^:/]+)::stop',
    { schema: { ...schema, operationId: 'stopVm', summary: 'Power a machine off' } },
    async (request, reply) => {
      const vm = await vms.wish(principalOf(request).projectId, request.params.id, 'stop');
      return reply.status(202).send(vm);
    },
  );
  app.post(
    '/v1/vms/:id([^:/]+)::suspend',
    {
      schema: {
        ...schema,
        operationId: 'suspendVm',
        summary: 'Write the memory of a running machine to its host, and stop it there',
      },
    },
    async (request, reply) => {
      const vm = await vms.wish(principalOf(request).projectId, request.params.id, 'suspend');
      return reply.status(202).send(vm);
    },
  );
  app.post(
    '/v1/vms/:id([^:/]+)::resume',
    {
      schema: {
        ...schema,
        operationId: 'resumeVm',
        summary: 'Let a suspended machine go on from where it was',
      },
    },
    async (request, reply) => {
      const vm = await vms.wish(principalOf(request).projectId, request.params.id, 'resume');
      return reply.status(202).send(vm);
    },
  );
  app.delete(
    '/v1/vms/:id',
    { schema: { ...schema, operationId: 'deleteVm', summary: 'Delete a machine' } },
    async (request, reply) => {
      const vm = await vms.wish(principalOf(request).projectId, request.params.id, 'delete');
      return reply.status(202).send(vm);
    },
  );
}

const ResizeBody = Type.Object(
  {
    vcpus: Type.Optional(VcpusSchema),
    memoryMiB: Type.Optional(MemoryMiBSchema),
    diskGiB: Type.Optional(DiskGiBSchema),
  },
  { additionalProperties: false, minProperties: 1 },
);
const RebuildBody = Type.Object(
  {
    image: NameSchema,
    imageVersion: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}$',
        description: 'SHA-256 of the image; absent: the newest that its cluster has.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** Wishes that a machine be another than it is. */
function specRoutes(instance: FastifyInstance, { vms }: VmRouteParts): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const schema = { tags, params: VmParams, response: answers(202, VmSchema) };
  app.patch(
    '/v1/vms/:id',
    {
      schema: {
        ...schema,
        operationId: 'changeVm',
        summary: 'Change the security rules of a machine, or whether it has an external address',
        body: VmChangeSchema,
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      return reply.status(202).send(await vms.change(projectId, request.params.id, request.body));
    },
  );
  app.post(
    '/v1/vms/:id([^:/]+)::resize',
    {
      schema: {
        ...schema,
        operationId: 'resizeVm',
        summary: 'Give a stopped machine another size; its disk can only grow',
        body: ResizeBody,
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      return reply.status(202).send(await vms.resize(projectId, request.params.id, request.body));
    },
  );
  app.post(
    '/v1/vms/:id([^:/]+)::rebuild',
    {
      schema: {
        ...schema,
        operationId: 'rebuildVm',
        summary: "Make a machine's disk anew of an image; what was on it is lost",
        body: RebuildBody,
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      return reply.status(202).send(await vms.rebuild(projectId, request.params.id, request.body));
    },
  );
}
