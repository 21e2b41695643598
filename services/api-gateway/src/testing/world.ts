import {
  authorizationHeader,
  NONCE_HEADER,
  PROBLEMS,
  signRequest,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { createHttpApp, ProblemError, silentLogger } from '@factory/runtime';
import { SimulatedNetwork, seededRandom, VirtualClock } from '@factory/runtime/simulated';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  createApiGateway,
  createMemoryNonceStore,
  createMemoryRateLimiter,
  type NonceStore,
  type RateLimiter,
} from '../index.ts';

export const KEY_ID = 'key_00000000000000000000000000000001';
export const PRINCIPAL = { actor: KEY_ID, projectId: 'prj_1', role: 'admin' };
export const SECRET = 'a secret of some length';
export const INTERNAL_TOKEN = 'the internal token';

/** A request as it came to the api-server. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** An api-server that knows one key and tells what reached it. */
export class FakeApiServer {
  readonly app: FastifyInstance;
  readonly seen: Seen[] = [];
  lookups = 0;
  isRevoked = false;
  allowsUcloud = false;
  /** Asked for each request under `/v1/`; its result is the answer. */
  answer: (request: FastifyRequest) => unknown = () => ({ ok: true });
  /** In its place for streams. */
  stream: ((raw: FastifyReply['raw']) => void) | undefined;

  constructor(clock: VirtualClock) {
    const bodyLimitBytes = 64 * 1024 * 1024;
    const service = 'fake-api-server';
    this.app = createHttpApp({ service, clock, logger: silentLogger, bodyLimitBytes });
    this.app.removeAllContentTypeParsers();
    this.app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) =>
      done(null, body),
    );
    this.app.get<{ Params: { id: string } }>('/internal/v1/api-keys/:id', async (request) => {
      this.lookups += 1;
      if (request.headers.authorization !== `Bearer ${INTERNAL_TOKEN}`) {
        throw new ProblemError(PROBLEMS.forbidden, 'not for you');
      }
      if (request.params.id !== KEY_ID) throw new ProblemError(PROBLEMS.notFound, 'no such key');
      const key = { keyId: KEY_ID, secret: SECRET, principal: PRINCIPAL };
      return { ...key, revoked: this.isRevoked, allowsUcloud: this.allowsUcloud };
    });
    for (const path of ['/v1/*', '/cluster-link/v1/*', '/openapi.json', '/internal/*']) {
      this.app.all(path, async (request, reply) => {
        const { method, url, headers } = request;
        this.seen.push({ method, url, headers, body: String(request.body ?? '') });
        reply.header('x-answered-by', 'api-server');
        if (this.stream === undefined || !url.includes('/stream')) return this.answer(request);
        reply.hijack();
        this.stream(reply.raw);
        return reply;
      });
    }
  }
}

/** How a request is signed, and in which ways wrongly. */
export interface Signing {
  readonly keyId?: string;
  readonly secret?: string;
  readonly nonce?: string;
  readonly offsetSeconds?: number;
}

/** A gateway in front of an api-server, on virtual time. */
export class World {
  readonly clock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly apiServer: FakeApiServer;
  readonly gateway: FastifyInstance;
  #nonces = 0;

  private constructor(stores: { nonces?: NonceStore; rateLimiter?: RateLimiter }) {
    const { clock } = this;
    this.network = new SimulatedNetwork({ clock, random: seededRandom(1) });
    this.apiServer = new FakeApiServer(clock);
    this.gateway = createApiGateway({
      clock,
      logger: silentLogger,
      random: seededRandom(2),
      transport: this.network.transport('gateway'),
      nonces: stores.nonces ?? createMemoryNonceStore(clock),
      rateLimiter: stores.rateLimiter ?? createMemoryRateLimiter(clock, 2),
      apiServer: 'http://api',
      internalToken: INTERNAL_TOKEN,
    });
  }

  static async create(
    stores: { nonces?: NonceStore; rateLimiter?: RateLimiter } = {},
  ): Promise<World> {
    const world = new World(stores);
    await world.network.attach('http://api', world.apiServer.app);
    await world.network.attach('http://gateway', world.gateway);
    return world;
  }

  /** Headers that sign a request. */
  sign(method: string, pathWithQuery: string, body = '', signing: Signing = {}) {
    this.#nonces += 1;
    const { keyId = KEY_ID, secret = SECRET, offsetSeconds = 0 } = signing;
    const nonce = signing.nonce ?? `nonce-number-${String(this.#nonces).padStart(8, '0')}`;
    const timestamp = String(Math.floor(this.clock.nowMs() / 1000) + offsetSeconds);
    const signature = signRequest(secret, { method, pathWithQuery, body, timestamp, nonce });
    return {
      authorization: authorizationHeader(keyId, signature),
      [TIMESTAMP_HEADER]: timestamp,
      [NONCE_HEADER]: nonce,
    };
  }

  /** Sends a request as a client does, and lets time pass until its answer is there. */
  async send(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    options: { readonly headers?: Record<string, string>; readonly body?: string } = {},
  ) {
    const { headers = {}, body } = options;
    const asked = this.network.transport('client').request({
      method,
      url: `http://gateway${path}`,
      headers,
      timeoutMs: 120_000,
      ...(body === undefined ? {} : { body }),
    });
    let isOver = false;
    const mark = (): void => {
      isOver = true;
      this.clock.noteActivity();
    };
    asked.then(mark, mark);
    await this.clock.runUntil(() => isOver, 120_000, 'the answer');
    const { status, headers: answered, body: bytes } = await asked;
    const text = Buffer.from(bytes).toString('utf8');
    return { status, headers: answered, text, problem: () => JSON.parse(text) };
  }

  /** Sends a signed request. */
  sendSigned(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    options: Signing & { readonly body?: string; readonly headers?: Record<string, string> } = {},
  ) {
    const { body, headers = {} } = options;
    const signed = { ...headers, ...this.sign(method, path, body, options) };
    return this.send(method, path, {
      headers: signed,
      ...(body === undefined ? {} : { body }),
    });
  }
}
