import {
  type EventType,
  isWebhookGenuine,
  signWebhook,
  WEBHOOK_LIMITS,
  WEBHOOK_SIGNATURE_HEADER,
  type WebhookBody,
} from '@factory/contracts';
import {
  createHttpApp,
  createUndiciTransport,
  isPublicAddress,
  listen,
  silentLogger,
  systemClock,
} from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EventRecord } from '../events/store.ts';
import { describeOnEachStore } from '../testing/each-store.ts';
import { otherProject, startFactory, type TestFactory } from '../testing/factory.ts';
import { afterFailure, nextDelivery } from './rules.ts';
import type { WebhookRecord } from './store.ts';

const HOUR_MS = 3_600_000;

interface Received {
  readonly body: string;
  readonly content: WebhookBody;
  readonly signature: string;
}

/** A receiver that answers with `status`. */
async function startReceiver() {
  const received: Received[] = [];
  const app = createHttpApp({ service: 'receiver', clock: systemClock, logger: silentLogger });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  const receiver = { status: 200, received, url: '', close: () => app.close() };
  app.post('/hook', async (request, reply) => {
    const body = String(request.body);
    const signature = String(request.headers[WEBHOOK_SIGNATURE_HEADER]);
    received.push({ body, content: JSON.parse(body), signature });
    return reply.status(receiver.status).send('x'.repeat(1_000));
  });
  const server = await listen(app, { host: '127.0.0.1', port: 0 });
  receiver.url = `${server.url}/hook`;
  return receiver;
}

describeOnEachStore('webhooks', (test) => {
  let receiver: Awaited<ReturnType<typeof startReceiver>>;
  let outside: ReturnType<typeof createUndiciTransport>;
  let factory: TestFactory;
  beforeEach(async () => {
    receiver = await startReceiver();
    outside = createUndiciTransport();
    factory = await startFactory(test().database, { clock: test().clock, outside });
  });
  afterEach(async () => {
    await factory.close();
    await outside.close();
    await receiver.close();
  });

  const hook = (more: object = {}) =>
    factory.caller.ok('POST', '/v1/webhooks', { name: 'ci', url: receiver.url, ...more });
  const makeSubnet = (name: string) =>
    factory.caller.ok('POST', '/v1/subnets', { name, cidr: '10.9.0.0/24' });
  const numbers = (): readonly number[] =>
    receiver.received.flatMap(({ content }) => content.events.map((each) => each.number));
  const eventually = (check: () => void | Promise<void>) =>
    vi.waitFor(check, { timeout: 15_000, interval: 20 });
  const show = (id: string) => factory.caller.ok('GET', `/v1/webhooks/${id}`);

  it('are called in order with what happens from then on, signed', async () => {
    await makeSubnet('before');
    const { id, secret, delivered } = await hook();
    await makeSubnet('one');
    await makeSubnet('two');
    await eventually(() => expect(numbers()).toEqual([delivered + 1, delivered + 2]));
    const [first] = receiver.received;
    expect(first?.content.webhookId).toBe(id);
    // Both, where the second came before the first was sent.
    expect(first?.content.events[0]).toMatchObject({ type: 'subnet.created' });
    const nowSeconds = test().clock.nowMs() / 1000;
    const { signature = '', body = '' } = first ?? {};
    expect(isWebhookGenuine(secret, signature, body, nowSeconds)).toBe(true);
    expect(isWebhookGenuine('another', signature, body, nowSeconds)).toBe(false);
    await eventually(async () => expect((await show(id)).delivered).toBe(delivered + 2));
    const { items } = await factory.caller.ok('GET', `/v1/webhooks/${id}/deliveries`);
    expect(items[0]).toMatchObject({ lastEvent: delivered + 2, status: 200, error: null });
    expect(JSON.stringify(await show(id))).not.toContain(secret);
  });

  it('are called again, in the same order, until the events are taken', async () => {
    receiver.status = 500;
    const { id, delivered } = await hook({ types: ['subnet.created'] });
    await makeSubnet('one');
    await eventually(() => expect(numbers()).toEqual([delivered + 1]));
    await makeSubnet('two');
    await eventually(async () => expect((await show(id)).failingSince).not.toBeNull());
    receiver.status = 204;
    test().clock.shift(10_000);
    await eventually(() =>
      expect(numbers()).toEqual([delivered + 1, delivered + 1, delivered + 2]),
    );
    await eventually(async () => expect((await show(id)).failingSince).toBeNull());
  });

  it('are switched off with a reason after a day of failures, and go on where they were', async () => {
    receiver.status = 503;
    const { id, delivered } = await hook();
    await makeSubnet('one');
    await eventually(() => expect(receiver.received).toHaveLength(1));
    await eventually(async () => expect((await show(id)).nextAttemptAt).not.toBeNull());
    test().clock.shift(25 * HOUR_MS);
    await eventually(() => expect(receiver.received).toHaveLength(2));
    await eventually(async () => expect((await show(id)).state).toBe('disabled'));
    expect((await show(id)).reason).toContain('status 503');
    receiver.status = 200;
    const on = await factory.caller.ok('PATCH', `/v1/webhooks/${id}`, { state: 'active' });
    expect(on).toMatchObject({ state: 'active', reason: null, delivered });
    await eventually(async () => expect((await show(id)).delivered).toBe(delivered + 1));
  });

  it('are tried out on request, and can get another secret', async () => {
    const { id, secret } = await hook();
    const tried = await factory.caller.ok('POST', `/v1/webhooks/${id}:test`);
    expect(tried).toMatchObject({ status: 200, error: null });
    expect(receiver.received[0]?.content.events[0]?.type).toBe('webhook.test');
    const rotated = await factory.caller.ok('POST', `/v1/webhooks/${id}:rotateSecret`);
    expect(rotated.secret).not.toBe(secret);
    await factory.caller.ok('POST', `/v1/webhooks/${id}:test`);
    const { signature = '', body = '' } = receiver.received[1] ?? {};
    const nowSeconds = test().clock.nowMs() / 1000;
    expect(isWebhookGenuine(rotated.secret, signature, body, nowSeconds)).toBe(true);
  });

  it('belong to their project, whose members alone may see them', async () => {
    const { id } = await hook();
    const twice = await factory.caller.call('POST', '/v1/webhooks', {
      ...{ name: 'ci', url: receiver.url },
    });
    expect(twice.statusCode).toBe(409);
    const stranger = factory.caller.as('admin', otherProject());
    for (const [method, url] of [
      ['GET', `/v1/webhooks/${id}`],
      ['PATCH', `/v1/webhooks/${id}`],
      ['DELETE', `/v1/webhooks/${id}`],
      ['POST', `/v1/webhooks/${id}:test`],
      ['GET', `/v1/webhooks/${id}/deliveries`],
    ] as const) {
      const answer = await stranger.call(method, url, method === 'PATCH' ? {} : undefined);
      expect(answer.statusCode, `${method} ${url}`).toBe(404);
    }
    expect((await factory.caller.as('viewer').call('GET', '/v1/webhooks')).statusCode).toBe(403);
    const url = 'https://user:secret@example.org/';
    const odd = await factory.caller.call('POST', '/v1/webhooks', { name: 'odd', url });
    expect(odd.json()).toMatchObject({ status: 400, field: 'url' });
    const gone = await factory.caller.call('DELETE', `/v1/webhooks/${id}`);
    expect(gone.statusCode).toBe(204);
    expect((await factory.caller.ok('GET', '/v1/webhooks')).items).toEqual([]);
  });

  it('call nothing inside', async () => {
    const guarded = createUndiciTransport({ allowsAddress: isPublicAddress });
    const inner = await startFactory(test().database, { clock: test().clock, outside: guarded });
    const call = (name: string, url: string) =>
      inner.caller.ok('POST', '/v1/webhooks', { name, url });
    const hosts = ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254'];
    for (const [index, host] of hosts.entries()) {
      const { id } = await call(`to-${index}`, receiver.url.replace('127.0.0.1', host));
      const tried = await inner.caller.ok('POST', `/v1/webhooks/${id}:test`);
      expect(tried.status, host).toBeNull();
      expect(tried.error).toContain('not in the public internet');
    }
    expect(receiver.received).toEqual([]);
    await inner.close();
    await guarded.close();
  });
});

describe('what is sent to a webhook', () => {
  const event = (seq: number, type: EventType): EventRecord => ({
    ...{ seq, atMs: 0, type, subject: 's', data: {} },
  });
  const some = (count: number, type: EventType = 'vm.ready') => ({
    events: Array.from({ length: count }, (_, index) => event(index + 1, type)),
    ...{ firstSeq: 1, lastSeq: count },
  });

  it('is as much as goes into one call, and the rest later', () => {
    const { events, cursorSeq } = nextDelivery(some(250), [], 0);
    expect(events).toHaveLength(WEBHOOK_LIMITS.eventsPerDelivery);
    expect(cursorSeq).toBe(WEBHOOK_LIMITS.eventsPerDelivery);
  });

  it('leaves out other types, and passes over them', () => {
    const next = nextDelivery(some(250), ['batch.closed'], 0);
    expect(next).toEqual({ events: [], cursorSeq: 250 });
  });

  it('waits longer after each failure, an hour at most, and ends after a day', () => {
    const webhook = { cursorSeq: 5, failingSinceMs: 0, attempts: 0 } as WebhookRecord;
    const fail = (attempts: number, nowMs: number) =>
      afterFailure({ ...webhook, attempts }, { status: 500, error: null }, nowMs, 1);
    expect(fail(0, 0).dueAtMs).toBe(5_000);
    expect(fail(1, 0).dueAtMs).toBe(10_000);
    expect(fail(50, 0).dueAtMs).toBe(HOUR_MS);
    expect(fail(3, 24 * HOUR_MS).state).toBe('disabled');
    expect(afterFailure(webhook, { status: 410, error: null }, 1, 0).state).toBe('disabled');
  });

  it('has a signature that grows old', () => {
    const header = signWebhook('secret', 1_000, '{}');
    expect(isWebhookGenuine('secret', header, '{}', 1_200)).toBe(true);
    expect(isWebhookGenuine('secret', header, '{}', 1_301)).toBe(false);
    expect(isWebhookGenuine('secret', header, '{} ', 1_200)).toBe(false);
    expect(isWebhookGenuine('secret', 'nonsense', '{}', 1_200)).toBe(false);
  });
});
