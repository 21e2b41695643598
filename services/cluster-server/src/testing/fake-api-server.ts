import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  type EnrolRequest,
  type ExchangeRequest,
  isExchangeSignatureValid,
  LINK_CLUSTER_HEADER,
  LINK_SIGNATURE_HEADER,
  type LinkCommand,
  NONCE_HEADER,
  type NumberedCommand,
  PROBLEMS,
  TIMESTAMP_HEADER,
} from '@factory/contracts';
import { type Clock, createHttpApp, ProblemError, silentLogger } from '@factory/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The api-server's end of the link as the protocol has it, kept in memory; checks signatures. */
export class FakeApiServer {
  readonly app: FastifyInstance;
  readonly clusterId = `clu_${'1'.padStart(32, '0')}`;
  /** Every exchange that was ingested. */
  readonly exchanges: ExchangeRequest[] = [];
  /** Asked before each exchange; what it throws is the answer. */
  beforeExchange: (request: ExchangeRequest) => void = () => undefined;
  token = 'a-token-of-enough-length';
  epoch = 0;
  acknowledgedSeq = 0;
  readonly #clock: Clock;
  readonly #nonces = new Set<string>();
  #commands: NumberedCommand[] = [];
  #lastSeq = 0;
  #publicKey: KeyObject | undefined;
  #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.app = createHttpApp({ service: 'fake-api-server', clock, logger: silentLogger });
    this.app.removeAllContentTypeParsers();
    this.app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    this.app.post('/cluster-link/v1/enrol', async (request) => this.#enrol(bodyOf(request)));
    this.app.post('/cluster-link/v1/sessions', async (request) => {
      this.#verify(request);
      this.epoch += 1;
      return { epoch: this.epoch };
    });
    this.app.post('/cluster-link/v1/exchange', async (request) => {
      this.#verify(request);
      return this.#exchange(bodyOf(request));
    });
  }

  /** Gives the cluster a command. */
  command(command: LinkCommand): number {
    this.#lastSeq += 1;
    this.#commands.push({ seq: this.#lastSeq, command });
    this.wake();
    return this.#lastSeq;
  }

  /** Has all long polls look again. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** The newest report of a VM that arrived, whatever order they came in. */
  newestReport(vmId: string) {
    return this.exchanges
      .flatMap(({ reports }) => reports.vms)
      .filter((report) => report.vmId === vmId)
      .reduce<ExchangeRequest['reports']['vms'][number] | undefined>(
        (top, next) => (top === undefined || next.revision > top.revision ? next : top),
        undefined,
      );
  }

  #enrol(request: EnrolRequest) {
    if (request.token !== this.token) throw new ProblemError(PROBLEMS.forbidden, 'wrong token');
    this.token = '';
    this.#publicKey = createPublicKey(request.publicKey);
    return { clusterId: this.clusterId };
  }

  #verify(request: FastifyRequest): void {
    const header = (name: string): string => String(request.headers[name] ?? '');
    const nonce = header(NONCE_HEADER);
    const parts = {
      method: request.method,
      pathWithQuery: request.url,
      body: request.body as Buffer,
      timestamp: header(TIMESTAMP_HEADER),
      nonce,
    };
    const isKnown = header(LINK_CLUSTER_HEADER) === this.clusterId;
    const signature = header(LINK_SIGNATURE_HEADER);
    if (
      !isKnown ||
      this.#publicKey === undefined ||
      !isExchangeSignatureValid(this.#publicKey, parts, signature)
    ) {
      throw new ProblemError(PROBLEMS.badSignature, 'wrong signature');
    }
    if (this.#nonces.has(nonce)) throw new ProblemError(PROBLEMS.replayed, 'replayed');
    this.#nonces.add(nonce);
  }

  async #exchange(request: ExchangeRequest) {
    this.#checkEpoch(request);
    this.beforeExchange(request);
    this.exchanges.push(request);
    this.acknowledgedSeq = Math.max(this.acknowledgedSeq, request.appliedCommandSeq);
    this.#commands = this.#commands.filter(({ seq }) => seq > this.acknowledgedSeq);
    const due = () => this.#commands.filter(({ seq }) => seq > request.appliedCommandSeq);
    if (due().length === 0) await this.#wait(request.waitMs);
    this.#checkEpoch(request);
    return { commands: due() };
  }

  #checkEpoch({ epoch }: ExchangeRequest): void {
    if (epoch !== this.epoch) throw new ProblemError(PROBLEMS.staleEpoch, 'a newer one is there');
  }

  async #wait(waitMs: number): Promise<void> {
    if (waitMs === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(waitMs, resolve);
    this.#waiting.add(resolve);
    await promise;
    this.#waiting.delete(resolve);
    timer.cancel();
  }
}

function bodyOf<T>(request: FastifyRequest): T {
  return JSON.parse((request.body as Buffer).toString('utf8'));
}
