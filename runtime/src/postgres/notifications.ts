import type { Knex } from 'knex';
import pg from 'pg';
import { type Backoff, createBackoff } from '../backoff.ts';
import { type Clock, sleep } from '../clock.ts';
import type { Logger } from '../log.ts';
import { type Random, systemRandom } from '../random.ts';

/**
 * Wakes the listeners of `channel`; within a transaction, when it commits. PostgreSQL takes a
 * global lock for it at commit, so send one a batch, and let the tables hold the truth.
 */
export async function notify(knex: Knex, channel: string, payload = ''): Promise<void> {
  await knex.raw('select pg_notify(?, ?)', [channel, payload]);
}

/** A subscription to notifications. */
export interface NotificationListener {
  /** Resolves when it listens for the first time. */
  readonly listening: Promise<void>;
  close(): Promise<void>;
}

/**
 * Calls `onPayload` for every notification on `channel`, over a connection of its own that is made
 * again, with back-off, whenever it breaks. Notifications are only a wake-up: some are lost while
 * the connection is down, so after each connection (the first too) there is one call with `''`,
 * which means "look for yourself".
 */
export function listenForNotifications(
  url: string,
  channel: string,
  onPayload: (payload: string) => void,
  ports: { readonly clock: Clock; readonly logger: Logger; readonly random?: Random },
): NotificationListener {
  const { clock, logger, random = systemRandom } = ports;
  const controller = new AbortController();
  const first = Promise.withResolvers<void>();
  const backoff = createBackoff({ baseMs: 100, maxMs: 5000, random });
  const onListening = (): void => {
    backoff.reset();
    first.resolve();
    onPayload('');
  };
  const round = () => listenOnce({ url, channel, onPayload, onListening }, controller.signal);
  const loop = keepGoing(round, { clock, logger, backoff, signal: controller.signal, channel });
  return {
    listening: first.promise,
    async close() {
      controller.abort();
      first.resolve();
      await loop;
    },
  };
}

async function keepGoing(
  round: () => Promise<void>,
  context: {
    readonly clock: Clock;
    readonly logger: Logger;
    readonly backoff: Backoff;
    readonly signal: AbortSignal;
    readonly channel: string;
  },
): Promise<void> {
  const { clock, logger, backoff, signal, channel } = context;
  while (!signal.aborted) {
    try {
      await round();
    } catch (error) {
      if (signal.aborted) return;
      const retryInMs = Math.round(backoff.nextMs());
      logger.warn({ err: error, channel, retryInMs }, 'lost the notification connection');
      await sleep(clock, retryInMs, signal).catch(() => undefined);
    }
  }
}

/** One connection's life: resolves when `signal` aborts, throws when the connection breaks. */
async function listenOnce(
  subscription: {
    readonly url: string;
    readonly channel: string;
    readonly onPayload: (payload: string) => void;
    readonly onListening: () => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const client = new pg.Client({
    connectionString: subscription.url,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'compute-factory-listener',
  });
  const over = Promise.withResolvers<void>();
  client.on('error', over.reject);
  client.on('end', () => over.reject(new Error('the server ended the connection')));
  client.on('notification', ({ payload }) => subscription.onPayload(payload ?? ''));
  const onAbort = (): void => over.resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  // A break is reported by the call that is under way, or by the wait below.
  over.promise.catch(() => undefined);
  try {
    await client.connect();
    await client.query(`listen ${client.escapeIdentifier(subscription.channel)}`);
    if (!signal.aborted) subscription.onListening();
    await over.promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    // Closing a connection that broke fails; it is closed then.
    await client.end().catch(() => undefined);
  }
}
