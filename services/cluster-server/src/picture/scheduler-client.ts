import {
  type AgentStage,
  type Changes,
  ChangesSchema,
  DesiredAnswerSchema,
  type DesiredChange,
  type HostImagesList,
  HostImagesListSchema,
  MetricsAnswerSchema,
  type OperationRequest,
  type VmAssignment,
  type VmEpoch,
  type VmId,
  type VmSample,
} from '@factory/contracts';
import { type HttpTransport, requestJson } from '@factory/runtime';
import { Compile } from 'typebox/compile';

const changesAnswer = Compile(ChangesSchema);
const desiredAnswer = Compile(DesiredAnswerSchema);
const hostImages = Compile(HostImagesListSchema);
const metricsAnswer = Compile(MetricsAnswerSchema);
const CALL_TIMEOUT_MS = 30_000;
/** What images are where is of use now or not at all. */
const IMAGES_TIMEOUT_MS = 5_000;
/** How long the answer to a long poll may take beyond its wait. */
const ANSWER_TIMEOUT_MS = 5_000;

/** The vm-scheduler's API (contracts/vm-scheduler-api.ts). */
export class VmSchedulerClient {
  readonly #transport: HttpTransport;
  readonly #url: string;

  constructor(transport: HttpTransport, url: string) {
    this.#transport = transport;
    this.#url = url;
  }

  /** Resolves when the VMs are durable there. */
  putVms(vms: readonly VmAssignment[]): Promise<void> {
    return this.#send('PUT', '/v1/vms', { vms }, nothing);
  }

  /** Gives the ids of machines that it does not have. */
  async setDesired(changes: readonly DesiredChange[]): Promise<readonly VmId[]> {
    const decode = (value: unknown) => desiredAnswer.Parse(value);
    const { unknown = [] } = await this.#send('POST', '/v1/desired', { changes }, decode);
    return unknown;
  }

  /** Resolves when those are given up, durably, that were never on a host. */
  withdraw(vms: readonly VmEpoch[]): Promise<void> {
    return this.#send('POST', '/v1/withdraw', { vms }, nothing);
  }

  operate(operations: readonly OperationRequest[]): Promise<void> {
    return this.#send('POST', '/v1/operations', { operations }, nothing);
  }

  /** What every agent's executor said last of the images on its host. */
  async hostImages(): Promise<HostImagesList['agents']> {
    const request = { method: 'GET', url: `${this.#url}/v1/images` } as const;
    const decode = (value: unknown) => hostImages.Parse(value);
    const timeoutMs = IMAGES_TIMEOUT_MS;
    return (await requestJson(this.#transport, { ...request, timeoutMs }, decode)).agents;
  }

  /** All images that are wanted on agents now. */
  stageImages(stages: readonly AgentStage[]): Promise<void> {
    return this.#send('POST', '/v1/images/stage', { stages }, nothing);
  }

  declareHostGone(hostName: string): Promise<void> {
    return this.#send('POST', '/v1/hosts-gone', { hostName }, nothing);
  }

  /** What machines use, as far as that is known. */
  async use(): Promise<readonly VmSample[]> {
    const decode = (value: unknown) => metricsAnswer.Parse(value);
    return (await this.#send('GET', '/v1/metrics', undefined, decode)).samples;
  }

  /**
   * Everything newer than `after`; waits up to `waitMs` for it. Up to `reported` it was passed on.
   */
  changes(
    query: { readonly after: number; readonly waitMs: number; readonly reported: number },
    signal: AbortSignal,
  ): Promise<Changes> {
    // Close behind the wait: the answer to a poll that was lost on its way must not delay news.
    const timeoutMs = query.waitMs + ANSWER_TIMEOUT_MS;
    const url = `${this.#url}/v1/changes`;
    return requestJson(
      this.#transport,
      { method: 'POST', url, json: query, timeoutMs, signal },
      (value) => changesAnswer.Parse(value),
    );
  }

  #send<T>(
    method: 'GET' | 'PUT' | 'POST',
    path: string,
    json: object | undefined,
    decode: (value: unknown) => T,
  ): Promise<T> {
    const request = { method, url: `${this.#url}${path}`, timeoutMs: CALL_TIMEOUT_MS };
    const body = json === undefined ? {} : { json };
    return requestJson(this.#transport, { ...request, ...body }, decode);
  }
}

function nothing(): void {}
