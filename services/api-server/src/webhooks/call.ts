import {
  type Event,
  signWebhook,
  WEBHOOK_SIGNATURE_HEADER,
  type WebhookBody,
} from '@factory/contracts';
import type { Clock, HttpTransport, SecretBox } from '@factory/runtime';
import type { Outcome } from './rules.ts';
import type { WebhookRecord } from './store.ts';

const CALL_TIMEOUT_MS = 15_000;
const ERROR_LENGTH_MAX = 300;

/** Calls receivers. Where the transport connects to is its own matter: it must refuse the inside. */
export class WebhookCaller {
  readonly #clock: Clock;
  readonly #transport: HttpTransport;
  readonly #secrets: SecretBox;

  constructor(clock: Clock, transport: HttpTransport, secrets: SecretBox) {
    this.#clock = clock;
    this.#transport = transport;
    this.#secrets = secrets;
  }

  /** Sends these events; never throws. Of the answer only its status counts, nothing else is read. */
  async call(
    webhook: WebhookRecord,
    events: readonly Event[],
    delivery: string,
    signal?: AbortSignal,
  ): Promise<Outcome & { readonly durationMs: number }> {
    const beganMs = this.#clock.monotonicMs();
    const outcome = await this.#send(webhook, events, delivery, signal).catch((error: unknown) => ({
      ...{ status: null, error: wordsFor(error, webhook.url) },
    }));
    return { ...outcome, durationMs: Math.round(this.#clock.monotonicMs() - beganMs) };
  }

  async #send(
    webhook: WebhookRecord,
    events: readonly Event[],
    delivery: string,
    signal: AbortSignal | undefined,
  ): Promise<Outcome> {
    const content: WebhookBody = { webhookId: webhook.id, delivery, events: [...events] };
    const body = JSON.stringify(content);
    const secret = this.#secrets.open(webhook.sealedSecret, webhook.id);
    const seconds = Math.floor(this.#clock.nowMs() / 1000);
    const answer = await this.#transport.stream({
      ...{ method: 'POST', url: webhook.url, body, timeoutMs: CALL_TIMEOUT_MS },
      headers: {
        'content-type': 'application/json',
        'user-agent': 'compute-factory',
        'x-factory-delivery': delivery,
        [WEBHOOK_SIGNATURE_HEADER]: signWebhook(secret, seconds, body),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    answer.close();
    return { status: answer.status, error: null };
  }
}

/** What went wrong, without the URL: it may have a secret of the receiver's. */
function wordsFor(error: unknown, url: string): string {
  let words = 'it could not be called';
  for (let cause = error; cause instanceof Error; cause = cause.cause) words = cause.message;
  return words.replaceAll(url, 'it').slice(0, ERROR_LENGTH_MAX);
}
