import type { Clock } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import type { Authenticator } from './authenticator.ts';
import type { Principal } from './principal.ts';
import type { Realm } from './realms.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; `undefined` where the realm asks for no authentication. */
    caller: Principal | undefined;
  }
}

/** Realms with an authenticator; all others are open. */
export type Authenticators = ReadonlyMap<Realm, Authenticator>;

/** Who guards which paths. */
export interface Guard {
  readonly clock: Clock;
  readonly authenticators: Authenticators;
  readonly realmOf: (path: string) => Realm | undefined;
}

/** Who calls, where the path's realm asks; `undefined`: the caller may not. */
export function admit(
  { clock, authenticators, realmOf }: Guard,
  path: string,
  authorization: string | undefined,
): { readonly caller: Principal | undefined } | undefined {
  const realm = realmOf(path);
  const authenticate = realm === undefined ? undefined : authenticators.get(realm);
  if (authenticate === undefined) return { caller: undefined };
  const result = authenticate(authorization, clock.nowMs());
  return result.kind === 'authenticated' ? { caller: result.principal } : undefined;
}

/**
 * Lets only authenticated callers through, where the path's realm has an authenticator, before a
 * byte of the body is read; others get a 401 as Mesos answers it.
 */
export function guardApp(app: FastifyInstance, guard: Guard): void {
  const { clock, authenticators, realmOf } = guard;
  app.decorateRequest('caller', undefined);
  if (authenticators.size === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    // The router's own path: what it takes for the same path must be guarded the same.
    const realm = realmOf(request.routeOptions.url ?? '/');
    const authenticate = realm === undefined ? undefined : authenticators.get(realm);
    if (authenticate === undefined) return undefined;
    const result = authenticate(request.headers.authorization, clock.nowMs());
    if (result.kind === 'authenticated') {
      request.caller = result.principal;
      return undefined;
    }
    return reply
      .status(401)
      .header('www-authenticate', result.challenges.join(', '))
      .type('text/plain; charset=utf-8')
      .send('401 Unauthorized.');
  });
}
