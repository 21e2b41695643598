import {
  NewWebhookSchema,
  type Webhook,
  type WebhookChange,
  type WebhookDelivery,
  WebhookDeliverySchema,
  type WebhookRequest,
  WebhookSchema,
} from '@factory/contracts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FactoryClient, NoSuchThingError } from './factory-client.ts';

const answer = Compile(WebhookSchema);
const created = Compile(NewWebhookSchema);
const list = Compile(Type.Object({ items: Type.Array(WebhookSchema) }));
const deliveryList = Compile(Type.Object({ items: Type.Array(WebhookDeliverySchema) }));
const outcome = Compile(
  Type.Object({
    status: Type.Union([Type.Integer(), Type.Null()]),
    error: Type.Union([Type.String(), Type.Null()]),
    durationMs: Type.Integer(),
  }),
);

/** The part of the REST API that is about webhooks. */
export class WebhookClient {
  readonly #client: Pick<FactoryClient, 'call'>;

  constructor(client: Pick<FactoryClient, 'call'>) {
    this.#client = client;
  }

  create(request: WebhookRequest) {
    const decode = (value: unknown) => created.Parse(value);
    return this.#client.call('POST', '/v1/webhooks', decode, request);
  }

  async list(): Promise<readonly Webhook[]> {
    const decode = (value: unknown) => list.Parse(value);
    return (await this.#client.call('GET', '/v1/webhooks', decode)).items;
  }

  /** @throws NoSuchThingError */
  async find(nameOrId: string): Promise<Webhook> {
    const found = (await this.list()).find(({ id, name }) => id === nameOrId || name === nameOrId);
    if (found !== undefined) return found;
    throw new NoSuchThingError('webhook', nameOrId, 'See: ./factory webhook list');
  }

  change({ id }: Webhook, change: WebhookChange): Promise<Webhook> {
    const decode = (value: unknown) => answer.Parse(value);
    return this.#client.call('PATCH', `/v1/webhooks/${id}`, decode, change);
  }

  async delete({ id }: Webhook): Promise<void> {
    await this.#client.call('DELETE', `/v1/webhooks/${id}`, () => undefined);
  }

  test({ id }: Webhook) {
    const decode = (value: unknown) => outcome.Parse(value);
    return this.#client.call('POST', `/v1/webhooks/${id}:test`, decode);
  }

  rotateSecret({ id }: Webhook) {
    const decode = (value: unknown) => created.Parse(value);
    return this.#client.call('POST', `/v1/webhooks/${id}:rotateSecret`, decode);
  }

  async deliveries({ id }: Webhook): Promise<readonly WebhookDelivery[]> {
    const decode = (value: unknown) => deliveryList.Parse(value);
    return (await this.#client.call('GET', `/v1/webhooks/${id}/deliveries`, decode)).items;
  }
}
