import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import {
  type ClusterImage,
  type ConformanceCheck,
  EnrolResponseSchema,
  type ExchangeResponse,
  ExchangeResponseSchema,
  ImagePartAnswerSchema,
  type ImagesAnswer,
  ImagesAnswerSchema,
  LINK_CLUSTER_HEADER,
  LINK_PROTOCOL_VERSION,
  LINK_SIGNATURE_HEADER,
  type LinkReports,
  NONCE_HEADER,
  type SessionRequest,
  SessionResponseSchema,
  type SignedParts,
  signExchange,
  TIMESTAMP_HEADER,
  type VmSample,
} from '@factory/contracts';
import {
  type Clock,
  type HttpTransport,
  type Random,
  RemoteProblemError,
  requestJson,
} from '@factory/runtime';
import { Compile } from 'typebox/compile';
import type { ClusterIdentity } from '../store.ts';

/** What this cluster-server knows beyond the first version of the link. */
const FEATURES = ['withdrawVms'];
const enrolResponse = Compile(EnrolResponseSchema);
const sessionResponse = Compile(SessionResponseSchema);
const exchangeResponse = Compile(ExchangeResponseSchema);
const imagePartAnswer = Compile(ImagePartAnswerSchema);
const imagesAnswer = Compile(ImagesAnswerSchema);

/** Beyond the wait that was asked for, how long an answer may take. */
const ANSWER_TIMEOUT_MS = 15_000;
/** A part of an image, of 4 MiB at most, over a slow line. */
const CONTENT_TIMEOUT_MS = 60_000;

export interface LinkClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: HttpTransport;
  /** Base URL of the api-server, or of the gateway in front of it. */
  readonly url: string;
  /** The address at one of several of them, for what does not go through the transport. */
  readonly place?: (url: string) => string;
  /** What the cluster says of itself in each session. */
  readonly words?: Omit<SessionRequest, 'protocolVersion'>;
}

/** A new key for a cluster (Ed25519, PKCS#8, PEM). */
export function newClusterKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The calls of the cluster link (contracts/cluster-link.ts), signed. It holds no state. */
export class LinkClient {
  readonly #options: LinkClientOptions;

  constructor(options: LinkClientOptions) {
    this.#options = options;
  }

  /**
   * Enrols the key (PEM, PKCS#8) with the one-time token; asked again with the same key, the answer
   * is the same. @throws RemoteProblemError when the token is refused.
   */
  async enrol(
    token: string,
    { name, privateKey }: { readonly name: string; readonly privateKey: string },
    signal?: AbortSignal,
  ): Promise<ClusterIdentity> {
    const publicKey = createPublicKey(createPrivateKey(privateKey));
    const { clusterId } = await requestJson(
      this.#options.transport,
      {
        method: 'POST',
        url: `${this.#options.url}/cluster-link/v1/enrol`,
        json: {
          protocolVersion: LINK_PROTOCOL_VERSION,
          token,
          name,
          publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
        },
        timeoutMs: ANSWER_TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      },
      (value) => enrolResponse.Parse(value),
    );
    return { clusterId, privateKey };
  }

  /** Opens a session; gives its epoch, which fences out all sessions before. */
  async openSession(identity: ClusterIdentity, signal?: AbortSignal): Promise<number> {
    const body = {
      ...{ protocolVersion: LINK_PROTOCOL_VERSION, features: FEATURES },
      ...this.#options.words,
    };
    const decode = (value: unknown) => sessionResponse.Parse(value);
    const { epoch } = await this.#signed(identity, 'sessions', body, 0, decode, signal);
    return epoch;
  }

  /** Says with which key it will sign from now on; see `RotateRequestSchema`. */
  async rotate(identity: ClusterIdentity, nextKey: string, signal?: AbortSignal): Promise<void> {
    const publicKey = createPublicKey(createPrivateKey(nextKey));
    const body = {
      protocolVersion: LINK_PROTOCOL_VERSION,
      publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    };
    await this.#signed(identity, 'rotate', body, 0, () => undefined, signal);
  }

  /** What a conformance run has found. */
  async conformance(
    identity: ClusterIdentity,
    checks: readonly ConformanceCheck[],
    signal?: AbortSignal,
  ): Promise<void> {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, checks };
    await this.#signed(identity, 'conformance', body, 0, () => undefined, signal);
  }

  /** One exchange; see `ExchangeRequestSchema`. */
  exchange(
    identity: ClusterIdentity,
    request: {
      readonly epoch: number;
      readonly appliedCommandSeq: number;
      readonly waitMs: number;
      readonly reports: LinkReports;
    },
    signal?: AbortSignal,
  ): Promise<ExchangeResponse> {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, ...request };
    const decode = (value: unknown) => exchangeResponse.Parse(value);
    return this.#signed(identity, 'exchange', body, request.waitMs, decode, signal);
  }

  /** What machines use, in place of what was told before. */
  async metrics(
    identity: ClusterIdentity,
    epoch: number,
    samples: readonly VmSample[],
    signal?: AbortSignal,
  ): Promise<void> {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, epoch, samples };
    await this.#signed(identity, 'metrics', body, 0, () => undefined, signal);
  }

  /** Where and with which headers a console's channel is opened at this path. */
  consoleAddress(
    identity: ClusterIdentity,
    path: string,
  ): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
    const headers = this.#signature(identity, { method: 'GET', pathWithQuery: path, body: '' });
    const { url, place = (address: string) => address } = this.#options;
    return { url: place(`${url}${path}`), headers };
  }

  /** Tells how images stand here; gives how they should (contracts/image-link.ts). */
  images(
    identity: ClusterIdentity,
    request: { readonly epoch: number; readonly images: readonly ClusterImage[] },
    signal?: AbortSignal,
  ): Promise<ImagesAnswer> {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, ...request };
    const decode = (value: unknown) => imagesAnswer.Parse(value);
    return this.#signed(identity, 'images', body, 0, decode, signal);
  }

  /** A part of a version's content from `offset` on; empty at its end. */
  async imageContent(
    identity: ClusterIdentity,
    request: { readonly imageId: string; readonly offset: number },
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const body = JSON.stringify({ protocolVersion: LINK_PROTOCOL_VERSION, ...request });
    const path = '/cluster-link/v1/image-content';
    const headers = this.#signature(identity, { method: 'POST', pathWithQuery: path, body });
    const url = `${this.#options.url}${path}`;
    const answer = await this.#options.transport.request({
      ...{ method: 'POST', url, body, timeoutMs: CONTENT_TIMEOUT_MS },
      headers: { ...headers, 'content-type': 'application/json' },
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.status === 200) return answer.body;
    throw new RemoteProblemError(url, answer.status, new TextDecoder().decode(answer.body));
  }

  /** Sends a part of a version that was made here; gives how much has arrived then. */
  async imagePart(
    identity: ClusterIdentity,
    part: { readonly imageId: string; readonly offset: number; readonly base64: string },
    signal?: AbortSignal,
  ): Promise<number> {
    const body = { protocolVersion: LINK_PROTOCOL_VERSION, ...part };
    const decode = (value: unknown) => imagePartAnswer.Parse(value);
    const { offset } = await this.#signed(identity, 'image-part', body, 45_000, decode, signal);
    return offset;
  }

  async #signed<T>(
    identity: ClusterIdentity,
    call: 'sessions' | 'rotate' | 'conformance' | 'exchange' | 'metrics' | 'images' | 'image-part',
    json: object,
    waitMs: number,
    decode: (value: unknown) => T,
    signal?: AbortSignal,
  ): Promise<T> {
    const { transport, url } = this.#options;
    const path = `/cluster-link/v1/${call}`;
    const parts = { method: 'POST', pathWithQuery: path, body: JSON.stringify(json) };
    return requestJson(
      transport,
      {
        method: 'POST',
        url: `${url}${path}`,
        headers: this.#signature(identity, parts),
        json,
        timeoutMs: waitMs + ANSWER_TIMEOUT_MS,
        ...(signal === undefined ? {} : { signal }),
      },
      decode,
    );
  }

  #signature(
    identity: ClusterIdentity,
    parts: Pick<SignedParts, 'method' | 'pathWithQuery' | 'body'>,
  ): Record<string, string> {
    const { clock, random } = this.#options;
    const timestamp = String(Math.floor(clock.nowMs() / 1000));
    const nonce = Buffer.from(random.bytes(16)).toString('base64url');
    return {
      [LINK_CLUSTER_HEADER]: identity.clusterId,
      [LINK_SIGNATURE_HEADER]: signExchange(keyOf(identity), { ...parts, timestamp, nonce }),
      [TIMESTAMP_HEADER]: timestamp,
      [NONCE_HEADER]: nonce,
    };
  }
}

const keys = new WeakMap<ClusterIdentity, KeyObject>();

function keyOf(identity: ClusterIdentity): KeyObject {
  const key = keys.get(identity) ?? createPrivateKey(identity.privateKey);
  keys.set(identity, key);
  return key;
}
