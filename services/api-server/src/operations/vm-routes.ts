import {
  AddSshKeySchema,
  type Operation,
  OperationSchema,
  ProjectImageNameSchema,
  projectImageFolder,
  SetPasswordSchema,
  SnapshotNameParams,
  VmIdSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { goneSignal } from '../http/gone.ts';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { type OperationOrder, type OperationService, showOperation } from './service.ts';

const SCREENSHOT = { kind: 'screenshot' } as const;
const LIST = { kind: 'listSnapshots' } as const;
const VmParams = Type.Object({ id: VmIdSchema });
const SnapshotList = Type.Object({
  items: Type.Array(
    Type.Object({ name: Type.String(), createdAt: Type.String({ format: 'date-time' }) }),
  ),
});
const ofVm = { tags: ['vms'], params: VmParams, response: answers(202, OperationSchema) };

type Start = (
  request: FastifyRequest<{ Params: Type.Static<typeof VmParams> }>,
  reply: FastifyReply,
  order: OperationOrder,
) => Promise<Operation>;

/** `POST /v1/vms/{id}:<verb>`: one-shot actions, each answered by an operation that can be followed. */
export function vmOperationRoutes(instance: FastifyInstance, operations: OperationService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const start: Start = async (request, reply, order) => {
    const { projectId } = principalOf(request);
    const operation = showOperation(await operations.start(projectId, request.params.id, order));
    const location = `/v1/operations/${operation.id}`;
    reply.status(202).header('location', location);
    return operation;
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
  app.post(
    '/v1/vms/:id([^:/]+)::setPassword',
    {
      schema: {
        ...ofVm,
        operationId: 'setVmPassword',
        summary: 'Give a user of the guest a password, through its agent',
        body: SetPasswordSchema,
      },
    },
    (request, reply) => start(request, reply, { kind: 'setPassword', params: request.body }),
  );
  app.post(
    '/v1/vms/:id([^:/]+)::addSshKey',
    {
      schema: {
        ...ofVm,
        operationId: 'addVmSshKey',
        summary: 'Let the owner of an SSH key in as a user of the guest, through its agent',
        body: AddSshKeySchema,
      },
    },
    (request, reply) => start(request, reply, { kind: 'addSshKey', params: request.body }),
  );
  diskRoutes(instance, operations, start);
  app.get(
    '/v1/vms/:id/screenshot',
    {
      schema: {
        operationId: 'getVmScreenshot',
        summary: "Show what is on a machine's screen",
        tags: ['vms'],
        params: VmParams,
        produces: ['image/png'],
        response: answers(200, Type.String()),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const { data } = await operations.read(projectId, id, SCREENSHOT, goneSignal(reply));
      const png = data?.kind === 'screenshot' ? data.png : '';
      return sendPng(reply, Buffer.from(png, 'base64'));
    },
  );
}

/** Snapshots of a machine's disk, and images made of it. */
function diskRoutes(instance: FastifyInstance, operations: OperationService, start: Start): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const ofSnapshot = { ...ofVm, body: SnapshotNameParams };
  app.post(
    '/v1/vms/:id([^:/]+)::snapshot',
    { schema: { ...ofSnapshot, operationId: 'snapshotVm', summary: "Keep a machine's disk" } },
    (request, reply) => start(request, reply, { kind: 'snapshot', params: request.body }),
  );
  app.post(
    '/v1/vms/:id([^:/]+)::revert',
    { schema: { ...ofSnapshot, operationId: 'revertVm', summary: 'Go back to a snapshot' } },
    (request, reply) => start(request, reply, { kind: 'revert', params: request.body }),
  );
  app.post(
    '/v1/vms/:id([^:/]+)::deleteSnapshot',
    { schema: { ...ofSnapshot, operationId: 'deleteVmSnapshot', summary: 'Delete a snapshot' } },
    (request, reply) => start(request, reply, { kind: 'deleteSnapshot', params: request.body }),
  );
  app.post(
    '/v1/vms/:id([^:/]+)::makeImage',
    {
      schema: {
        ...ofVm,
        operationId: 'makeVmImage',
        summary: "Make a version of an image out of a machine's disk",
        body: Type.Object({ name: ProjectImageNameSchema }),
      },
    },
    (request, reply) => {
      // A plain name would be that of an image for everybody, such as `micro`.
      const name = projectImageFolder(principalOf(request).projectId, request.body.name);
      return start(request, reply, { kind: 'makeImage', params: { name } });
    },
  );
  app.get(
    '/v1/vms/:id/snapshots',
    {
      schema: {
        operationId: 'listVmSnapshots',
        summary: "List a machine's snapshots, oldest first",
        tags: ['vms'],
        params: VmParams,
        response: answers(200, SnapshotList),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const { data } = await operations.read(projectId, id, LIST, goneSignal(reply));
      const snapshots = data?.kind === 'listSnapshots' ? data.snapshots : [];
      return {
        items: snapshots.map(({ name, createdAtMs }) => ({
          name,
          createdAt: new Date(createdAtMs).toISOString(),
        })),
      };
    },
  );
}

/** Bytes, which no schema describes. */
function sendPng(reply: FastifyReply, png: Buffer): FastifyReply {
  return reply.type('image/png').send(png);
}
