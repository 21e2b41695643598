import { type Clock, type HttpTransport, RemoteProblemError, requestJson } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { sessionPath } from './sessions.ts';

/** An API key, or a session, as the api-server knows it. */
export interface ApiKey {
  readonly keyId: string;
  readonly secret: string;
  /** Whom it stands for, in the api-server's words. */
  readonly principal: unknown;
  readonly revoked: boolean;
  /** Whether it may sign UCloud-style actions. */
  readonly allowsUcloud?: boolean | undefined;
}

const apiKey = Compile(
  Type.Object({
    keyId: Type.String(),
    secret: Type.String(),
    principal: Type.Unknown(),
    revoked: Type.Boolean(),
    allowsUcloud: Type.Optional(Type.Boolean()),
  }),
);

const session = Compile(Type.Object({ principal: Type.Unknown() }));

/** How long a key is believed without asking: a revoked one stops working within this time. */
const KEY_KEPT_MS = 5_000;
const KEYS_MAX = 10_000;
const LOOKUP_TIMEOUT_MS = 5_000;

/** Looks keys up at the api-server, and remembers them for a moment (unknown ones too). */
export class KeyDirectory {
  readonly #clock: Clock;
  readonly #transport: HttpTransport;
  readonly #apiServer: string;
  readonly #internalToken: string;
  readonly #cache = new Map<string, { readonly key: Promise<ApiKey | undefined>; atMs: number }>();

  constructor(options: {
    readonly clock: Clock;
    readonly transport: HttpTransport;
    readonly apiServer: string;
    readonly internalToken: string;
  }) {
    this.#clock = options.clock;
    this.#transport = options.transport;
    this.#apiServer = options.apiServer;
    this.#internalToken = options.internalToken;
  }

  /**
   * The key, or `undefined` when there is none or it is revoked.
   * @throws when the api-server can't be asked.
   */
  async find(keyId: string): Promise<ApiKey | undefined> {
    const nowMs = this.#clock.monotonicMs();
    const cached = this.#cache.get(keyId);
    if (cached !== undefined && nowMs - cached.atMs < KEY_KEPT_MS) return cached.key;
    const key = this.#ask(keyId);
    this.#remember(keyId, key, nowMs);
    try {
      return await key;
    } catch (error) {
      this.#cache.delete(keyId);
      throw error;
    }
  }

  /** Forgets what is known of these, such as of a session that ends. */
  forget(isOver: (keyId: string) => boolean): void {
    for (const keyId of this.#cache.keys()) {
      if (isOver(keyId)) this.#cache.delete(keyId);
    }
  }

  async #askSession(ref: string, path: string): Promise<ApiKey> {
    const found = await requestJson(
      this.#transport,
      {
        method: 'GET',
        url: `${this.#apiServer}${path}`,
        headers: { authorization: `Bearer ${this.#internalToken}` },
        timeoutMs: LOOKUP_TIMEOUT_MS,
      },
      (value) => session.Parse(value),
    );
    return { keyId: ref, secret: '', principal: found.principal, revoked: false };
  }

  #remember(keyId: string, key: Promise<ApiKey | undefined>, atMs: number): void {
    const oldest = this.#cache.keys().next().value;
    if (this.#cache.size >= KEYS_MAX && oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(keyId, { key, atMs });
  }

  async #ask(keyId: string): Promise<ApiKey | undefined> {
    try {
      const path = sessionPath(keyId);
      if (path !== undefined) return await this.#askSession(keyId, path);
      const found = await requestJson(
        this.#transport,
        {
          method: 'GET',
          url: `${this.#apiServer}/internal/v1/api-keys/${encodeURIComponent(keyId)}`,
          headers: { authorization: `Bearer ${this.#internalToken}` },
          timeoutMs: LOOKUP_TIMEOUT_MS,
        },
        (value) => apiKey.Parse(value),
      );
      return found.revoked ? undefined : found;
    } catch (error) {
      if (error instanceof RemoteProblemError && error.status === 404) return undefined;
      throw error;
    }
  }
}
