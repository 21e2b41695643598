import { timingSafeEqual } from 'node:crypto';
import {
  CONSOLE_ENDS,
  CONSOLE_OPENING_TIMEOUT_MS,
  CONSOLE_PATHS,
  CONSOLE_TOKEN_HEADER,
  type ConsoleRelay,
  type OperationRequest,
} from '@factory/contracts';
import {
  type ByteChannel,
  type Clock,
  joinChannels,
  type Logger,
  type Random,
  refuseUpgrade,
  type Timer,
  type UpgradeRequest,
  type Upgrades,
  type WebSocketAcceptor,
} from '@factory/runtime';

const TOKEN_BYTES = 32;
/** Consoles of one cluster that are being opened. */
const EXPECTED_MAX = 1_000;

export interface ConsoleRelayParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly acceptor: WebSocketAcceptor;
  /** Of this cluster-server, as hosts reach it. */
  readonly url: () => string;
  /** Opens the api-server's side, signed. @throws when it does not take it. */
  readonly dialApi: (path: string) => Promise<ByteChannel>;
}

/**
 * Joins consoles that executors bring with those that the api-server waits for. Both sides are
 * dialled: the executor dials here, and this dials the api-server.
 */
export class Relay {
  readonly #parts: ConsoleRelayParts;
  readonly #expected = new Map<string, { readonly token: string; readonly timer: Timer }>();

  constructor(parts: ConsoleRelayParts) {
    this.#parts = parts;
  }

  /** Takes executors' sockets. */
  install(upgrades: Upgrades): void {
    upgrades.on(CONSOLE_PATHS.relay, (upgrade) => this.#take(upgrade));
  }

  /** Tells those of the operations that open consoles where to bring them; the others stay as is. */
  address(operations: readonly OperationRequest[]): readonly OperationRequest[] {
    return operations.map((request) => {
      if (request.kind !== 'console') return request;
      const relay: ConsoleRelay = { url: this.#parts.url(), token: this.#expect(request) };
      return { ...request, params: { ...request.params, relay } };
    });
  }

  /** A command that comes again gets the same token. */
  #expect({ operationId }: OperationRequest): string {
    const known = this.#expected.get(operationId);
    if (known !== undefined) return known.token;
    const { clock, random } = this.#parts;
    const token = Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url');
    const [oldest] = this.#expected.keys();
    if (this.#expected.size >= EXPECTED_MAX && oldest !== undefined) this.#forget(oldest);
    const timer = clock.after(CONSOLE_OPENING_TIMEOUT_MS, () => this.#forget(operationId));
    this.#expected.set(operationId, { token, timer });
    return token;
  }

  #forget(operationId: string): void {
    this.#expected.get(operationId)?.timer.cancel();
    this.#expected.delete(operationId);
  }

  /** The executor's handshake is answered when the api-server's side is open, and fails with it. */
  async #take({ request, socket, head, id }: UpgradeRequest): Promise<void> {
    const { acceptor, clock, dialApi, logger } = this.#parts;
    const expected = this.#expected.get(id);
    const given = request.headers[CONSOLE_TOKEN_HEADER];
    if (expected === undefined || !isEqual(expected.token, given)) {
      return refuseUpgrade(socket, 403);
    }
    this.#forget(id);
    const far = await dialApi(`${CONSOLE_PATHS.cluster}${id}`).catch((error: unknown) => {
      logger.warn({ err: error, operationId: id }, 'a console could not be passed on');
      return undefined;
    });
    if (far === undefined) return refuseUpgrade(socket, 502);
    const near = await acceptor.accept(request, socket, head).catch((error: unknown) => {
      far.close(CONSOLE_ENDS.hostAway);
      throw error;
    });
    logger.info({ operationId: id }, 'passing a console on');
    const end = await joinChannels(near, far, { clock });
    logger.info({ operationId: id, ...end }, 'a console has ended');
  }
}

function isEqual(token: string, given: string | string[] | undefined): boolean {
  const [one, other] = [Buffer.from(token), Buffer.from(typeof given === 'string' ? given : '')];
  return one.length === other.length && timingSafeEqual(one, other);
}
