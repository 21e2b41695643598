import { join, resolve } from 'node:path';
import {
  type Clock,
  createServerPool,
  createUndiciTransport,
  type HttpTransport,
  systemClock,
} from '@factory/runtime';
import { readConnection } from '../client/connection.ts';
import { FactoryClient } from '../client/factory-client.ts';
import { type Layout, layoutOf } from '../supervisor/layout.ts';

/** The checkout that this CLI belongs to. */
export const ROOT = resolve(import.meta.dirname, '../../..');

/** The data directory when none is named: `FACTORY_DATA_DIR`, else `.factory/` in the checkout. */
export function defaultDataDirectory(): string {
  return process.env.FACTORY_DATA_DIR ?? join(ROOT, '.factory');
}

/** The layout for a `--data` option. */
export function layoutFor(options: { readonly data?: string }): Layout {
  return layoutOf(ROOT, options.data ?? defaultDataDirectory());
}

/** What a command that talks to a running factory needs. */
export interface ClientContext {
  readonly clock: Clock;
  readonly transport: HttpTransport;
  readonly client: FactoryClient;
}

/**
 * Runs `work` with a client of the running factory, and closes its connections.
 * @throws NotRunningError when there is none.
 */
export async function withClient<T>(
  options: { readonly data?: string },
  work: (context: ClientContext) => Promise<T>,
): Promise<T> {
  const transport = createUndiciTransport();
  try {
    const connection = await readConnection(layoutFor(options));
    const urls = connection.gateways ?? [connection.url];
    const pool = createServerPool({ clock: systemClock, transport, urls, repeats: false });
    const client = new FactoryClient({ clock: systemClock, transport: pool, ...connection });
    return await work({ clock: systemClock, transport, client });
  } finally {
    await transport.close();
  }
}
