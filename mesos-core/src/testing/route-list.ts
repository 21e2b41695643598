import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance } from 'fastify';

/** A route of an app: `GET`, `/state`. */
export interface ListedRoute {
  readonly method: string;
  readonly url: string;
}

/**
 * Every route of the apps that are made meanwhile, without the HEAD that comes with each GET. What
 * answers all paths that are unknown (`/*`) is listed as a GET.
 */
export async function routesMadeBy(make: () => Promise<unknown>): Promise<readonly ListedRoute[]> {
  const routes: ListedRoute[] = [];
  const onInitialization = (message: unknown): void => {
    const { fastify } = message as { readonly fastify: FastifyInstance };
    fastify.addHook('onRoute', ({ method, url }) => {
      const methods = url === '/*' ? ['GET'] : [method].flat();
      for (const each of methods) if (each !== 'HEAD') routes.push({ method: each, url });
    });
  };
  subscribe('fastify.initialization', onInitialization);
  try {
    await make();
  } finally {
    unsubscribe('fastify.initialization', onInitialization);
  }
  return routes;
}
