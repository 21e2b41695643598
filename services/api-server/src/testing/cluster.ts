import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  type Capacity,
  type ClusterId,
  type ExchangeRequest,
  type ExchangeResponse,
  LINK_CLUSTER_HEADER,
  LINK_PROTOCOL_VERSION,
  LINK_SIGNATURE_HEADER,
  type LinkReports,
  NONCE_HEADER,
  type SessionRequest,
  signExchange,
  standing,
  TIMESTAMP_HEADER,
  type VmAssignment,
  type VmReport,
} from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';

const NO_REPORTS: LinkReports = { vms: [], plans: [], operations: [] };

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

/** A cluster for tests that speaks the link's protocol by hand. */
export class TestCluster {
  readonly #app: FastifyInstance;
  readonly #clock: Clock;
  #privateKey: KeyObject;
  publicKey: string;
  readonly name: string;
  clusterId = '' as ClusterId;
  epoch = 0;
  appliedSeq = 0;
  #revision = 0;

  constructor(app: FastifyInstance, clock: Clock, name: string) {
    this.#app = app;
    this.#clock = clock;
    this.name = name;
    const { privateKey, publicKey } = newKey();
    this.#privateKey = privateKey;
    this.publicKey = publicKey;
  }

  async enrol(token: string) {
    const answer = await this.#app.inject({
      method: 'POST',
      url: '/cluster-link/v1/enrol',
      payload: {
        protocolVersion: LINK_PROTOCOL_VERSION,
        token,
        name: this.name,
        publicKey: this.publicKey,
      },
    });
    if (answer.statusCode === 200) this.clusterId = answer.json().clusterId;
    return answer;
  }

  async openSession(words: Omit<SessionRequest, 'protocolVersion'> = {}) {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, ...words };
    const answer = await this.post('sessions', body);
    if (answer.statusCode === 200) this.epoch = answer.json().epoch;
    return answer;
  }

  /** Offers another key; gives what makes the cluster sign with it, and with the old one again. */
  async rotate() {
    const before = { privateKey: this.#privateKey, publicKey: this.publicKey };
    const next = newKey();
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, publicKey: next.publicKey };
    const answer = await this.post('rotate', body);
    const sign = (key: typeof before) => () => {
      this.#privateKey = key.privateKey;
      this.publicKey = key.publicKey;
    };
    return { answer, useNext: sign(next), useOld: sign(before) };
  }

  /** A signed call; `overrides` replaces headers after signing. */
  post(
    call:
      | 'sessions'
      | 'rotate'
      | 'conformance'
      | 'exchange'
      | 'metrics'
      | 'images'
      | 'image-content'
      | 'image-part',
    body: unknown,
    options: {
      readonly overrides?: Readonly<Record<string, string>>;
      readonly nonce?: string;
      readonly timestampMs?: number;
    } = {},
  ) {
    const url = `/cluster-link/v1/${call}`;
    const payload = JSON.stringify(body);
    const nowMs = options.timestampMs ?? this.#clock.nowMs();
    const timestamp = String(Math.floor(nowMs / 1000));
    const nonce = options.nonce ?? randomBytes(16).toString('hex');
    const parts = { method: 'POST', pathWithQuery: url, body: payload, timestamp, nonce };
    return this.#app.inject({
      method: 'POST',
      url,
      payload,
      headers: {
        'content-type': 'application/json',
        [LINK_CLUSTER_HEADER]: this.clusterId,
        [LINK_SIGNATURE_HEADER]: signExchange(this.#privateKey, parts),
        [TIMESTAMP_HEADER]: timestamp,
        [NONCE_HEADER]: nonce,
        ...options.overrides,
      },
    });
  }

  request(reports: Partial<LinkReports> = {}, waitMs = 0): ExchangeRequest {
    return {
      protocolVersion: LINK_PROTOCOL_VERSION,
      epoch: this.epoch,
      appliedCommandSeq: this.appliedSeq,
      waitMs,
      reports: { ...NO_REPORTS, ...reports },
    };
  }

  /**
   * Exchanges that must succeed, until there are commands or `waitMs` are over; the commands are
   * applied. A poll that is woken answers without: only the next one claims what woke it.
   */
  async exchange(reports: Partial<LinkReports> = {}, waitMs = 0): Promise<ExchangeResponse> {
    const endMs = this.#clock.monotonicMs() + waitMs;
    for (let news = reports, leftMs = waitMs; ; news = {}) {
      const response = await this.#exchangeOnce(news, leftMs);
      leftMs = endMs - this.#clock.monotonicMs();
      if (response.commands.length > 0 || leftMs <= 0) return response;
    }
  }

  async #exchangeOnce(reports: Partial<LinkReports>, waitMs: number): Promise<ExchangeResponse> {
    const answer = await this.post('exchange', this.request(reports, Math.floor(waitMs)));
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}: ${answer.body}`);
    const response: ExchangeResponse = answer.json();
    this.appliedSeq = response.commands.at(-1)?.seq ?? this.appliedSeq;
    return response;
  }

  /** A report of an assigned machine. */
  report(vm: VmAssignment, fields: Partial<VmReport> = {}): VmReport {
    this.#revision += 1;
    const { state = 'running', reason = null, message = null, ...others } = fields;
    return {
      vmId: vm.vmId,
      assignmentEpoch: vm.assignmentEpoch,
      revision: this.#revision,
      generation: vm.generation,
      stateSinceMs: this.#clock.nowMs(),
      guestReady: true,
      hostName: 'host-1',
      timeline: { started: this.#clock.nowMs() },
      ...others,
      ...standing(state, reason, message),
    };
  }
}

/** A capacity of equal hosts with the image `micro`. */
export function capacityOf(
  clock: Clock,
  hosts: number,
  host: { readonly vcpus: number; readonly memoryMiB: number },
  images: string[] = ['micro'],
): Capacity {
  return {
    observedAtMs: clock.nowMs(),
    hosts: Array.from({ length: hosts }, (_, index) => ({
      agentId: `agent-${index}`,
      hostName: `host-${index}`,
      active: true,
      totalVcpus: host.vcpus,
      totalMemoryMiB: host.memoryMiB,
      freeVcpus: host.vcpus,
      freeMemoryMiB: host.memoryMiB,
    })),
    promisedVcpus: 0,
    promisedMemoryMiB: 0,
    images,
  };
}
