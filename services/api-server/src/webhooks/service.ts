import {
  type Event,
  ID_PREFIXES,
  type NewWebhook,
  PROBLEMS,
  type ProjectId,
  WEBHOOK_LIMITS,
  type Webhook,
  type WebhookChange,
  type WebhookDelivery,
  type WebhookId,
  type WebhookRequest,
} from '@factory/contracts';
import {
  type Clock,
  type IdGenerator,
  ProblemError,
  type Random,
  type SecretBox,
} from '@factory/runtime';
import type { EventFeed } from '../events/feed.ts';
import type { WebhookCaller } from './call.ts';
import type { KeptDelivery, WebhookPatch, WebhookRecord, WebhookStore } from './store.ts';

const SECRET_BYTES = 32;

export interface WebhookServiceParts {
  readonly store: WebhookStore;
  readonly feed: EventFeed;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: IdGenerator;
  readonly secrets: SecretBox;
  readonly caller: WebhookCaller;
  /** There may be something to send. */
  readonly wake: () => void;
}

/** The webhooks of projects. */
export class WebhookService {
  readonly #parts: WebhookServiceParts;

  constructor(parts: WebhookServiceParts) {
    this.#parts = parts;
  }

  /** It gets what happens from now on. @throws ProblemError naming the field at fault */
  async create(projectId: ProjectId, request: WebhookRequest): Promise<NewWebhook> {
    const { store, feed, clock, newId } = this.#parts;
    requireUrl(request.url);
    await feed.number();
    const id = newId(ID_PREFIXES.webhook) as WebhookId;
    const { secret, sealedSecret } = this.#newSecret(id);
    const nowMs = clock.nowMs();
    const record: WebhookRecord = {
      ...{ id, projectId, name: request.name, url: request.url, types: request.types ?? [] },
      ...{ sealedSecret, state: 'active', reason: null },
      ...{ cursorSeq: await feed.newest(projectId), failingSinceMs: null, attempts: 0 },
      ...{ dueAtMs: nowMs, leaseUntilMs: 0, createdAtMs: nowMs },
    };
    const result = await store.create(record, WEBHOOK_LIMITS.perProject);
    switch (result) {
      case 'created':
        return { ...showWebhook(record), secret };
      case 'nameTaken': {
        const detail = `There is a webhook ${request.name} already.`;
        throw new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
      }
      case 'tooMany': {
        const detail = `A project has at most ${WEBHOOK_LIMITS.perProject} webhooks.`;
        throw new ProblemError(PROBLEMS.limitReached, detail);
      }
    }
  }

  async list(projectId: ProjectId): Promise<readonly Webhook[]> {
    return (await this.#parts.store.list(projectId)).map(showWebhook);
  }

  /** @throws ProblemError 404 */
  async get(projectId: ProjectId, id: WebhookId): Promise<Webhook> {
    return showWebhook(await this.#find(projectId, id));
  }

  /** Switched on again, it goes on where it was. @throws ProblemError 404, or naming the field */
  async change(projectId: ProjectId, id: WebhookId, change: WebhookChange): Promise<Webhook> {
    const { url, types, state } = change;
    if (url !== undefined) requireUrl(url);
    const again = { failingSinceMs: null, attempts: 0, dueAtMs: this.#parts.clock.nowMs() };
    const patch: WebhookPatch = {
      ...(url === undefined ? {} : { url }),
      ...(types === undefined ? {} : { types }),
      ...(state === 'active' ? { state, reason: null, ...again } : {}),
      ...(state === 'disabled' ? { state, reason: 'It was switched off.' } : {}),
    };
    const changed = await this.#change(projectId, id, patch);
    this.#parts.wake();
    return showWebhook(changed);
  }

  /** From now on deliveries are signed with another secret. @throws ProblemError 404 */
  async rotateSecret(projectId: ProjectId, id: WebhookId): Promise<NewWebhook> {
    const { secret, sealedSecret } = this.#newSecret(id);
    const changed = await this.#change(projectId, id, { sealedSecret });
    return { ...showWebhook(changed), secret };
  }

  /** @throws ProblemError 404 */
  async delete(projectId: ProjectId, id: WebhookId): Promise<void> {
    if (!(await this.#parts.store.delete(projectId, id))) throw notFound(id);
  }

  /** Calls it once, now, with an event that did not happen. @throws ProblemError 404 */
  async test(projectId: ProjectId, id: WebhookId) {
    const { clock, caller } = this.#parts;
    const webhook = await this.#find(projectId, id);
    const event: Event = {
      ...{ number: Math.max(1, webhook.cursorSeq), at: new Date(clock.nowMs()).toISOString() },
      ...{ type: 'webhook.test', subject: id, data: { name: webhook.name } },
    };
    return caller.call(webhook, [event], `${id}-test-${clock.nowMs()}`);
  }

  /** @throws ProblemError 404 */
  async deliveries(
    projectId: ProjectId,
    id: WebhookId,
    before: number | undefined,
    limit: number,
  ): Promise<readonly WebhookDelivery[]> {
    await this.#find(projectId, id);
    return (await this.#parts.store.deliveries(id, before, limit)).map(showDelivery);
  }

  async #find(projectId: ProjectId, id: WebhookId): Promise<WebhookRecord> {
    const found = await this.#parts.store.find(projectId, id);
    if (found === undefined) throw notFound(id);
    return found;
  }

  async #change(projectId: ProjectId, id: WebhookId, patch: WebhookPatch): Promise<WebhookRecord> {
    const changed = await this.#parts.store.change(projectId, id, patch);
    if (changed === undefined) throw notFound(id);
    return changed;
  }

  #newSecret(id: WebhookId): { readonly secret: string; readonly sealedSecret: string } {
    const { random, secrets } = this.#parts;
    const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
    return { secret, sealedSecret: secrets.seal(secret, id) };
  }
}

function notFound(id: string): ProblemError {
  return new ProblemError(PROBLEMS.notFound, `There is no webhook ${id}.`);
}

/** Where it leads is looked at when it is called: a name may lead elsewhere by then. */
function requireUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.username === '' && url.password === '';
  if (isPlain && (url.protocol === 'https:' || url.protocol === 'http:')) return;
  const detail = 'url must be an http or https URL without a user name or password in it.';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'url' });
}

function showWebhook(record: WebhookRecord): Webhook {
  const { id, projectId, name, url, types, state, reason, cursorSeq, failingSinceMs } = record;
  const time = (ms: number): string => new Date(ms).toISOString();
  const isFailing = failingSinceMs !== null && state === 'active';
  return {
    ...{ id, projectId, name, url, types: [...types], state, reason, delivered: cursorSeq },
    failingSince: failingSinceMs === null ? null : time(failingSinceMs),
    nextAttemptAt: isFailing ? time(record.dueAtMs) : null,
    createdAt: time(record.createdAtMs),
  };
}

function showDelivery(record: KeptDelivery): WebhookDelivery {
  const { id, atMs, firstSeq, lastSeq, events, status, error, durationMs } = record;
  return {
    ...{ number: id, at: new Date(atMs).toISOString(), firstEvent: firstSeq, lastEvent: lastSeq },
    ...{ events, status, error, durationMs },
  };
}
