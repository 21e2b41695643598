import { CONSOLE_PATHS, IMAGE_LINK_LIMITS, PROBLEMS, TIMESTAMP_HEADER } from '@factory/contracts';
import {
  type Clock,
  createHttpApp,
  createUpgrades,
  type HttpTransport,
  type Logger,
  ProblemError,
  type Random,
} from '@factory/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkSignature, readClaim, type SignedClaim } from './authenticate.ts';
import { passConsole, passLinkConsole } from './console-sockets.ts';
import { type ApiKey, KeyDirectory } from './key-directory.ts';
import type { NonceStore } from './nonce-store.ts';
import {
  bodyOf,
  forwardAs,
  forwardLink,
  forwardPublic,
  forwardSignIn,
  type ProxyTarget,
} from './proxy.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { checkSession, readSession, type SessionClaim } from './sessions.ts';
import { STREAM_PATHS, Streams } from './streams.ts';
import { ucloudRoutes } from './ucloud.ts';

export { createMemoryNonceStore, createRedisNonceStore, type NonceStore } from './nonce-store.ts';
export {
  createMemoryRateLimiter,
  createRedisRateLimiter,
  type RateLimiter,
} from './rate-limiter.ts';

/** A batch with 64 KiB of user-data and 64 keys fits easily; nothing else is larger. */
const BODY_LIMIT_BYTES = 1024 * 1024;
/** One exchange of the cluster link: 2,000 reports, or 20,000 hosts. */
const LINK_BODY_LIMIT_BYTES = 16 * 1024 * 1024;

const ENDS_SESSIONS = ['DELETE /v1/sessions/current', 'POST /v1/me/password'];

export interface ApiGatewayParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly transport: HttpTransport;
  /** The address, at the api-server that is to be used for it, when there are several. */
  readonly place?: (url: string) => string;
  readonly nonces: NonceStore;
  readonly rateLimiter: RateLimiter;
  readonly apiServer: string;
  readonly internalToken: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    claim: SignedClaim | undefined;
    session: SessionClaim | undefined;
    apiKey: ApiKey | undefined;
  }
}

/**
 * The gateway: says who is calling and how fast they may go, and holds no business rule. Everything
 * under `/v1/` must be signed; the cluster link carries its own signatures.
 */
export function createApiGateway(parts: ApiGatewayParts): FastifyInstance {
  const { clock, logger, random, transport, apiServer, internalToken } = parts;
  const { place = (url: string) => url } = parts;
  const target: ProxyTarget = { transport, place, apiServer, internalToken };
  const keys = new KeyDirectory({ clock, transport, apiServer, internalToken });
  const app = createHttpApp({
    service: 'api-gateway',
    clock,
    logger,
    random,
    bodyLimitBytes: BODY_LIMIT_BYTES,
    isReady: () => apiServerIsReady(target),
  });
  // Bodies stay bytes: they are signed as bytes, and the api-server reads them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.decorateRequest('claim', undefined);
  app.decorateRequest('session', undefined);
  app.decorateRequest('apiKey', undefined);
  registerSigned(app, parts, keys, target);
  registerUnsigned(app, parts, target);
  forgetEndedSessions(app, keys);
  ucloudRoutes(app, { keys, rateLimiter: parts.rateLimiter, target });
  const upgrades = createUpgrades(app);
  upgrades.on(CONSOLE_PATHS.user, (upgrade) => passConsole(upgrade, target));
  upgrades.on(CONSOLE_PATHS.cluster, (upgrade) => passLinkConsole(upgrade, target));
  return app;
}

function registerSigned(
  app: FastifyInstance,
  parts: ApiGatewayParts,
  keys: KeyDirectory,
  target: ProxyTarget,
): void {
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    request.session = readSession(request);
    if (request.session !== undefined) {
      request.apiKey = await findKey(keys, request.session.ref);
      checkSession(request.apiKey, request);
      return;
    }
    const claim = readClaim(request.headers, parts.clock.nowMs());
    request.claim = claim;
    request.apiKey = await findKey(keys, claim.keyId);
  };
  const preHandler = async (request: FastifyRequest): Promise<void> => {
    const { claim, session, apiKey, method, url } = request;
    if (session !== undefined) return refuseTooFast(parts.rateLimiter, session.tokenHash);
    if (claim === undefined) throw new Error('the claim is read before the body');
    checkSignature(claim, apiKey?.secret, { method, url, body: bodyOf(request) });
    await refuseTooFast(parts.rateLimiter, claim.keyId);
    await refuseReplay(parts.nonces, claim);
  };
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    if (request.apiKey === undefined) throw new Error('the key is known after its signature');
    return forwardAs(request.apiKey, target, request, reply);
  };
  // Images come in parts: each is signed, and so is here as a whole before it is sent on.
  const bodyLimit = IMAGE_LINK_LIMITS.partBytesMax;
  app.put('/v1/images/:id/content', { onRequest, preHandler, bodyLimit }, handler);
  const streams = new Streams(parts.clock, target, (keyId) => keys.find(keyId));
  for (const path of STREAM_PATHS) {
    app.get(path, { onRequest, preHandler }, async (request, reply) => {
      if (request.apiKey === undefined) throw new Error('the key is known after its signature');
      return streams.forward(request.apiKey, request, reply);
    });
  }
  app.all('/v1/*', { onRequest, preHandler }, handler);
}

function registerUnsigned(app: FastifyInstance, parts: ApiGatewayParts, target: ProxyTarget): void {
  const bodyLimit = LINK_BODY_LIMIT_BYTES;
  app.post('/cluster-link/v1/*', { bodyLimit }, (request, reply) =>
    forwardLink(target, request, reply),
  );
  app.post('/v1/sessions', async (request, reply) => {
    await refuseTooFast(parts.rateLimiter, `address ${request.ip}`);
    return forwardSignIn(target, request, reply);
  });
  for (const path of ['/openapi.json', '/docs']) {
    app.get(path, (request, reply) => forwardPublic(target, request, reply));
  }
}

/** Who signs out here is not believed any more at once; at other gateways, within seconds. */
function forgetEndedSessions(app: FastifyInstance, keys: KeyDirectory): void {
  app.addHook('onResponse', async ({ session, method, url }) => {
    const path = `${method} ${url}`;
    if (session === undefined || !ENDS_SESSIONS.includes(path)) return;
    keys.forget((ref) => ref.includes(session.tokenHash));
  });
}

async function findKey(keys: KeyDirectory, keyId: string): Promise<ApiKey | undefined> {
  try {
    return await keys.find(keyId);
  } catch (error) {
    const detail = 'Keys can not be checked at present: the API server does not answer.';
    throw new ProblemError(PROBLEMS.notReady, detail, { cause: error });
  }
}

async function refuseTooFast(limiter: RateLimiter, keyId: string): Promise<void> {
  const waitMs = await fromStore('Request rates', () => limiter.waitMs(keyId));
  if (waitMs <= 0) return;
  const retryAfterSeconds = Math.ceil(waitMs / 1000);
  const detail = `This key makes too many requests; go on in ${retryAfterSeconds} s.`;
  throw new ProblemError(PROBLEMS.rateLimited, detail, { extra: { retryAfterSeconds } });
}

async function refuseReplay(nonces: NonceStore, claim: SignedClaim): Promise<void> {
  const { keyId, nonce, timestamp } = claim;
  const use = await fromStore('Replays', () => nonces.use(keyId, nonce, Number(timestamp)));
  if (use === 'first') return;
  if (use === 'unsure') {
    const again = 'It was signed before replays are remembered from; sign it again.';
    throw new ProblemError(PROBLEMS.clockSkew, again, { field: TIMESTAMP_HEADER });
  }
  const detail = 'This signed request was sent before; sign it again with a new nonce.';
  throw new ProblemError(PROBLEMS.replayed, detail, { field: 'x-factory-nonce' });
}

/** Without the store nobody is let in: what can't be checked is not allowed. */
async function fromStore<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const detail = `${what} can not be checked at present; try again shortly.`;
    throw new ProblemError(PROBLEMS.notReady, detail, { cause: error });
  }
}

async function apiServerIsReady(target: ProxyTarget) {
  try {
    const url = `${target.apiServer}/health/ready`;
    const answer = await target.transport.request({ method: 'GET', url, timeoutMs: 2_000 });
    if (answer.status === 200) return { ready: true, reasons: [] };
    return { ready: false, reasons: ['the api-server is not ready'] };
  } catch {
    return { ready: false, reasons: ['the api-server does not answer'] };
  }
}
