import { createApi } from './api.ts';
import { createConnection } from './connection.ts';
import type { ConnectOptions, Libvirt } from './types.ts';

/**
 * A connection to libvirtd, ready for calls. It ends by {@link Libvirt.close} or when libvirtd goes
 * away, and never comes back: `createReconnectingLibvirt` makes a new one then.
 * @throws LibvirtDisconnectedError (no socket), LibvirtAuthError, LibvirtError (e.g. `NO_CONNECT`:
 * libvirtd has no such driver), LibvirtTimeoutError.
 */
export async function connectLibvirt(options: ConnectOptions): Promise<Libvirt> {
  const connection = await createConnection(options);
  return {
    uri: options.uri,
    ...createApi(connection),
    events: connection.events,
    closed: connection.closed,
    close: () => connection.close(),
  };
}
