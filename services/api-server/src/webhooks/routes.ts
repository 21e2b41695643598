import {
  NewWebhookSchema,
  WebhookChangeSchema,
  WebhookDeliverySchema,
  WebhookIdSchema,
  WebhookRequestSchema,
  WebhookSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import type { WebhookService } from './service.ts';

const params = Type.Object({ id: WebhookIdSchema });
const tags = ['webhooks'];
const OutcomeSchema = Type.Object({
  status: Type.Union([Type.Integer(), Type.Null()]),
  error: Type.Union([Type.String(), Type.Null()]),
  durationMs: Type.Integer(),
});

/** `/v1/webhooks` */
export function webhookRoutes(instance: FastifyInstance, webhooks: WebhookService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/webhooks',
    {
      schema: {
        operationId: 'createWebhook',
        summary: 'Have a URL called when something happens',
        tags,
        body: WebhookRequestSchema,
        response: answers(201, NewWebhookSchema),
      },
    },
    async (request, reply) => {
      const made = await webhooks.create(principalOf(request).projectId, request.body);
      return reply.status(201).header('location', `/v1/webhooks/${made.id}`).send(made);
    },
  );
  app.get(
    '/v1/webhooks',
    {
      schema: {
        operationId: 'listWebhooks',
        summary: 'List the webhooks, oldest first',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(WebhookSchema) })),
      },
    },
    async (request) => ({ items: [...(await webhooks.list(principalOf(request).projectId))] }),
  );
  app.get(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'getWebhook',
        summary: 'Show a webhook, and how far it has come',
        tags,
        params,
        response: answers(200, WebhookSchema),
      },
    },
    async (request) => webhooks.get(principalOf(request).projectId, request.params.id),
  );
  app.patch(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'changeWebhook',
        summary: 'Change a webhook, switch it off, or on again where it was',
        tags,
        params,
        body: WebhookChangeSchema,
        response: answers(200, WebhookSchema),
      },
    },
    async (request) =>
      webhooks.change(principalOf(request).projectId, request.params.id, request.body),
  );
  app.delete(
    '/v1/webhooks/:id',
    {
      schema: {
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook',
        tags,
        params,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await webhooks.delete(principalOf(request).projectId, request.params.id);
      return reply.status(204).send(null);
    },
  );
  webhookActions(instance, webhooks);
}

function webhookActions(instance: FastifyInstance, webhooks: WebhookService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/webhooks/:id([^:/]+)::test',
    {
      schema: {
        operationId: 'testWebhook',
        summary: 'Call a webhook now with an event of the type webhook.test',
        tags,
        params,
        response: answers(200, OutcomeSchema),
      },
    },
    async (request) => webhooks.test(principalOf(request).projectId, request.params.id),
  );
  app.post(
    '/v1/webhooks/:id([^:/]+)::rotateSecret',
    {
      schema: {
        operationId: 'rotateWebhookSecret',
        summary: 'Sign what is sent from now on with another secret',
        tags,
        params,
        response: answers(200, NewWebhookSchema),
      },
    },
    async (request) => webhooks.rotateSecret(principalOf(request).projectId, request.params.id),
  );
  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      schema: {
        operationId: 'listWebhookDeliveries',
        summary: 'List what was sent in the last days and how it was answered, newest first',
        tags,
        params,
        querystring: Type.Object({
          before: Type.Optional(Type.Integer({ minimum: 1 })),
          limit: Type.Integer({ minimum: 1, maximum: 500, default: 100 }),
        }),
        response: answers(200, Type.Object({ items: Type.Array(WebhookDeliverySchema) })),
      },
    },
    async (request) => {
      const { before, limit } = request.query;
      const { projectId } = principalOf(request);
      const { id } = request.params;
      return { items: [...(await webhooks.deliveries(projectId, id, before, limit))] };
    },
  );
}
