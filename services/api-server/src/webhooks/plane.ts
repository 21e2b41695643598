import {
  type Clock,
  type HttpTransport,
  HttpTransportError,
  type IdGenerator,
  type Logger,
  type Random,
  type SecretBox,
} from '@factory/runtime';
import type { EventFeed } from '../events/feed.ts';
import type { ApiStore } from '../store/api-store.ts';
import { WebhookCaller } from './call.ts';
import { WebhookDeliverer } from './deliverer.ts';
import { WebhookService } from './service.ts';

/** All parts of the api-server that have to do with webhooks. */
export interface WebhookPlane {
  readonly service: WebhookService;
  readonly deliverer: WebhookDeliverer;
}

/** Without a transport nothing is sent, as in simulations. */
export function createWebhookPlane(
  transport: HttpTransport | undefined,
  parts: {
    readonly store: Pick<ApiStore, 'webhooks' | 'events'>;
    readonly feed: EventFeed;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly newId: IdGenerator;
    readonly secrets: SecretBox;
  },
): WebhookPlane {
  const { clock, secrets, feed } = parts;
  const caller = new WebhookCaller(clock, transport ?? NO_WAY_OUT, secrets);
  const canSend = transport !== undefined;
  const deliverer = new WebhookDeliverer({ ...parts, caller, canSend });
  const wake = (): void => deliverer.wake();
  feed.onNumbered(wake);
  const store = parts.store.webhooks;
  return { service: new WebhookService({ ...parts, store, caller, wake }), deliverer };
}

const refuse = async ({ url }: { readonly url: string }): Promise<never> => {
  throw new HttpTransportError(url, 'nothing is sent from here');
};
const NO_WAY_OUT: HttpTransport = { request: refuse, stream: refuse, close: async () => undefined };
