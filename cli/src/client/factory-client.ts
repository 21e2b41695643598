import { randomBytes } from 'node:crypto';
import {
  authorizationHeader,
  type Batch,
  type BatchChange,
  type BatchOperation,
  BatchOperationSchema,
  type BatchRequest,
  BatchSchema,
  type BatchVolume,
  type ConsoleKind,
  ConsoleTicketSchema,
  NONCE_HEADER,
  type Operation,
  OperationSchema,
  signRequest,
  TIMESTAMP_HEADER,
  type Vm,
  type VmChange,
  type VmMetrics,
  type VmMetricsHistory,
  VmMetricsHistorySchema,
  VmMetricsSchema,
  VmSchema,
  type Volume,
  type VolumeRequest,
} from '@factory/contracts';
import {
  type ByteChannel,
  type ChannelDialer,
  type Clock,
  type HttpRequest,
  type HttpStream,
  type HttpTransport,
  HttpTransportError,
  isRepeatable,
  RemoteProblemError,
  requestJson,
} from '@factory/runtime';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { ApiClient } from './api.ts';
import type { Connection } from './connection.ts';

const ticketAnswer = Compile(ConsoleTicketSchema);
const vmAnswer = Compile(VmSchema);
const batchAnswer = Compile(BatchSchema);
const batchOperationAnswer = Compile(BatchOperationSchema);
const operationAnswer = Compile(OperationSchema);
const cursor = Type.Union([Type.String(), Type.Null()]);
const metricsPage = Compile(
  Type.Object({ items: Type.Array(VmMetricsSchema), nextCursor: cursor }),
);
const metricsHistoryAnswer = Compile(VmMetricsHistorySchema);
const parseAnyOperation = (value: unknown): Operation | BatchOperation =>
  batchOperationAnswer.Check(value) ? value : operationAnswer.Parse(value);
const operationPage = Compile(
  Type.Object({ items: Type.Array(OperationSchema), nextCursor: cursor }),
);
const vmPage = Compile(Type.Object({ items: Type.Array(VmSchema), nextCursor: cursor }));

const Orphan = Type.Object({
  vmId: Type.String(),
  cluster: Type.String(),
  hostName: Type.String(),
  hasDomain: Type.Boolean(),
  hasFiles: Type.Boolean(),
  hasCards: Type.Boolean(),
  vm: Type.Union([Type.Null(), Type.Object({ name: Type.String(), state: Type.String() })]),
});
export type Orphan = Static<typeof Orphan>;
const orphanList = Compile(Type.Object({ items: Type.Array(Orphan) }));

const SnapshotList = Type.Object({
  items: Type.Array(Type.Object({ name: Type.String(), createdAt: Type.String() })),
});
const snapshotList = Compile(SnapshotList);

const CALL_TIMEOUT_MS = 30_000;
const PAGE_LIMIT = 500;

export interface FactoryClientOptions extends Connection {
  readonly clock: Clock;
  readonly transport: HttpTransport;
}

/** There is no such thing under that name or id. */
export class NoSuchThingError extends Error {
  readonly code = 'FACTORY_ERR_NOT_FOUND';
  constructor(kind: string, name: string, hint: string) {
    super(`There is no ${kind} "${name}". ${hint}`);
    this.name = 'NoSuchThingError';
  }
}

/** What a machine is told by one word. */
type VmVerb = 'start' | 'stop' | 'reboot' | 'suspend' | 'resume';

/** The REST API, each call signed with the key pair. Errors are RemoteProblemErrors. */
export class FactoryClient {
  readonly #options: FactoryClientOptions;
  /** All operations, with the types of the OpenAPI document. */
  readonly api: ApiClient;

  constructor(options: FactoryClientOptions) {
    this.#options = options;
    this.api = new ApiClient(({ method, pathWithQuery, headers, json }) =>
      this.#call(method, pathWithQuery, (value) => value, json, headers),
    );
  }

  /** Creates a batch; the idempotency key makes a repeated call give the same batch. */
  createBatch(request: BatchRequest | { readonly holdId: string }): Promise<Batch> {
    const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
    return this.#call('POST', '/v1/batches', (value) => batchAnswer.Parse(value), request, headers);
  }

  batches(): Promise<readonly Batch[]> {
    return this.api.all('listBatches', {});
  }

  batch(id: string): Promise<Batch> {
    return this.#call('GET', `/v1/batches/${id}`, (value) => batchAnswer.Parse(value));
  }

  /** The batch with this id or name. */
  async findBatch(idOrName: string): Promise<Batch> {
    if (/^bat_[0-9a-f]{32}$/.test(idOrName)) return this.batch(idOrName);
    const [batch] = await this.api.all('listBatches', { query: { name: idOrName } });
    if (batch !== undefined) return batch;
    throw new NoSuchThingError('batch', idOrName, 'See: ./factory batch list');
  }

  changeBatch(id: string, change: BatchChange): Promise<Batch> {
    return this.#call('PATCH', `/v1/batches/${id}`, (value) => batchAnswer.Parse(value), change);
  }

  deleteBatch(id: string): Promise<void> {
    return this.#call('DELETE', `/v1/batches/${id}`, () => undefined);
  }

  vms(filter: { readonly batchId?: string; readonly state?: string }): Promise<readonly Vm[]> {
    const query = new URLSearchParams({ ...filter }).toString();
    const path = query === '' ? '/v1/vms' : `/v1/vms?${query}`;
    return this.all(path, (value) => vmPage.Parse(value));
  }

  vm(id: string): Promise<Vm> {
    return this.#call('GET', `/v1/vms/${id}`, (value) => vmAnswer.Parse(value));
  }

  /** The VM with this id or name. */
  async findVm(idOrName: string): Promise<Vm> {
    if (/^vm_[0-9a-f]{32}$/.test(idOrName)) return this.vm(idOrName);
    const [vm] = await this.api.all('listVms', { query: { name: idOrName } });
    if (vm !== undefined) return vm;
    throw new NoSuchThingError('machine', idOrName, 'See: ./factory vm list');
  }

  /** Wishes that a machine be another than it is; the machine with that wish. */
  changeVm(id: string, change: VmChange): Promise<Vm> {
    return this.#call('PATCH', `/v1/vms/${id}`, (value) => vmAnswer.Parse(value), change);
  }

  respecVm(id: string, verb: 'resize' | 'rebuild', body: object): Promise<Vm> {
    return this.#call('POST', `/v1/vms/${id}:${verb}`, (value) => vmAnswer.Parse(value), body);
  }

  actOnVm(id: string, verb: VmVerb): Promise<void> {
    return this.#call('POST', `/v1/vms/${id}:${verb}`, () => undefined, {});
  }

  /** Begins a one-shot action. */
  operateOnVm(id: string, verb: string, params: object): Promise<Operation> {
    const path = `/v1/vms/${id}:${verb}`;
    return this.#call('POST', path, (value) => operationAnswer.Parse(value), params);
  }

  operation(id: string): Promise<Operation> {
    return this.#call('GET', `/v1/operations/${id}`, (value) => operationAnswer.Parse(value));
  }

  /** An operation on a machine, or on a batch. */
  anyOperation(id: string): Promise<Operation | BatchOperation> {
    return this.#call('GET', `/v1/operations/${id}`, parseAnyOperation);
  }

  /** Asks for an operation's end; gives the one that says whether it came in time. */
  cancelOperation(id: string): Promise<Operation | BatchOperation> {
    return this.#call('POST', `/v1/operations/${id}:cancel`, parseAnyOperation, {});
  }

  /** Begins something on all machines of a batch; sent again by a proxy, it is begun once. */
  operateOnBatch(id: string, verb: string, params: object): Promise<BatchOperation> {
    const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
    const decode = (value: unknown) => batchOperationAnswer.Parse(value);
    return this.#call('POST', `/v1/batches/${id}:${verb}`, decode, params, headers);
  }

  batchOperation(id: string): Promise<BatchOperation> {
    const decode = (value: unknown) => batchOperationAnswer.Parse(value);
    return this.#call('GET', `/v1/operations/${id}`, decode);
  }

  /** What became of the machines of a batch, of those in this state. */
  operationResults(id: string, state: Operation['state']): Promise<readonly Operation[]> {
    const path = `/v1/operations/${id}/results?state=${state}`;
    return this.all(path, (value) => operationPage.Parse(value));
  }

  deleteVm(id: string): Promise<void> {
    return this.#call('DELETE', `/v1/vms/${id}`, () => undefined);
  }

  /** What machines use, in the order of their list. */
  /** What a machine used in the last hour, oldest first. */
  metricsHistory(id: string): Promise<VmMetricsHistory> {
    const path = `/v1/vms/${id}/metrics/history`;
    return this.#call('GET', path, (value) => metricsHistoryAnswer.Parse(value));
  }

  metrics(filter: { readonly batchId?: string } = {}): Promise<readonly VmMetrics[]> {
    const query = new URLSearchParams({ ...filter }).toString();
    const path = query === '' ? '/v1/metrics' : `/v1/metrics?${query}`;
    return this.all(path, (value) => metricsPage.Parse(value));
  }

  /** A console of a running machine, by a ticket of its own. @throws WebSocketRefusedError */
  async openConsole(id: string, kind: ConsoleKind, dialer: ChannelDialer): Promise<ByteChannel> {
    const decode = (value: unknown) => ticketAnswer.Parse(value);
    const { path } = await this.#call('POST', `/v1/vms/${id}:console`, decode, { kind });
    const url = `${this.#options.url}${path}`;
    return dialer.dial({ url, protocols: ['binary'], timeoutMs: CALL_TIMEOUT_MS });
  }

  createVolume(request: VolumeRequest): Promise<Volume> {
    return this.api.call('createVolume', { body: request });
  }

  volumes(): Promise<readonly Volume[]> {
    return this.api.all('listVolumes', {});
  }

  /** The volume with this id or name. */
  async findVolume(idOrName: string): Promise<Volume> {
    const isId = /^vol_[0-9a-f]{32}$/.test(idOrName);
    const found = (await this.volumes()).find(({ id, name }) => idOrName === (isId ? id : name));
    if (found !== undefined) return found;
    throw new NoSuchThingError('volume', idOrName, 'See: ./factory volume list');
  }

  changeVolumes(
    vmId: string,
    verb: 'attachVolume' | 'detachVolume',
    volume: BatchVolume,
  ): Promise<Vm> {
    return this.#call('POST', `/v1/vms/${vmId}:${verb}`, (value) => vmAnswer.Parse(value), volume);
  }

  deleteVolume(id: string): Promise<void> {
    return this.#call('DELETE', `/v1/volumes/${id}`, () => undefined);
  }

  /** What is on hosts in the factory's name, and nothing speaks for it. */
  async orphans(): Promise<readonly Orphan[]> {
    const page = await this.#call('GET', '/v1/orphans', (value) => orphanList.Parse(value));
    return page.items;
  }

  actOnOrphan(vmId: string, verb: 'adopt' | 'remove'): Promise<void> {
    return this.#call('POST', `/v1/orphans/${vmId}:${verb}`, () => undefined, {});
  }

  /** Says that a host will not come back. */
  declareHostGone(cluster: string, host: string): Promise<void> {
    const [name, at] = [encodeURIComponent(host), encodeURIComponent(cluster)];
    return this.#call('POST', `/v1/clusters/${at}/hosts/${name}:declareGone`, () => undefined, {});
  }

  /** The end of the machine's serial console. */
  async logs(id: string): Promise<string> {
    return (await this.#bytes(`/v1/vms/${id}/logs`)).toString('utf8');
  }

  /** The machine's snapshots, oldest first. */
  async snapshots(id: string): Promise<Static<typeof SnapshotList>['items']> {
    const path = `/v1/vms/${id}/snapshots`;
    return (await this.#call('GET', path, (value) => snapshotList.Parse(value))).items;
  }

  /** What is on the machine's screen, as PNG. */
  screenshot(id: string): Promise<Buffer> {
    return this.#bytes(`/v1/vms/${id}/screenshot`);
  }

  async #bytes(path: string): Promise<Buffer> {
    const response = await this.#signed('GET', path, '');
    const body = Buffer.from(response.body);
    if (response.status === 200) return body;
    throw new RemoteProblemError(path, response.status, parseOrText(body.toString('utf8')));
  }

  /** All items of a list, page by page; `path` may have a query. */
  async all<T>(
    path: string,
    decode: (value: unknown) => {
      readonly items: readonly T[];
      readonly nextCursor: string | null;
    },
  ): Promise<readonly T[]> {
    const items: T[] = [];
    let next: string | null = null;
    do {
      const separator = path.includes('?') ? '&' : '?';
      const from: string = next === null ? '' : `&cursor=${encodeURIComponent(next)}`;
      const url: string = `${path}${separator}limit=${PAGE_LIMIT}${from}`;
      const page = await this.#call('GET', url, decode);
      items.push(...page.items);
      next = page.nextCursor;
    } while (next !== null);
    return items;
  }

  /** Opens an answer that comes bit by bit, and may never end. @throws RemoteProblemError */
  async stream(
    path: string,
    headers: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
  ): Promise<HttpStream> {
    const { transport, url } = this.#options;
    const answer = await transport.stream({
      ...{ method: 'GET', url: `${url}${path}`, timeoutMs: CALL_TIMEOUT_MS },
      headers: { ...headers, ...this.#signature('GET', path, '') },
      ...(signal === undefined ? {} : { signal }),
    });
    if (answer.status === 200) return answer;
    const parts: Uint8Array[] = [];
    for await (const part of answer.body) parts.push(part);
    throw new RemoteProblemError(path, answer.status, parseOrText(Buffer.concat(parts).toString()));
  }

  /** A call of another client's (`image-client.ts`, `subnet-client.ts`), with JSON. */
  call<T>(
    method: HttpRequest['method'],
    path: string,
    decode: (value: unknown) => T,
    json?: object,
  ): Promise<T> {
    return this.#call(method, path, decode, json);
  }

  /** Sends bytes as they are; gives the answer's JSON through `decode`. */
  async putBytes<T>(
    path: string,
    body: Uint8Array,
    timeoutMs: number,
    decode: (value: unknown) => T,
  ): Promise<T> {
    const { transport, url } = this.#options;
    const type = { 'content-type': 'application/octet-stream' };
    const headers = { ...type, ...this.#signature('PUT', path, body) };
    const request = { method: 'PUT', url: `${url}${path}`, headers, body, timeoutMs } as const;
    const answer = await transport.request(request);
    const value = parseOrText(Buffer.from(answer.body).toString('utf8'));
    if (answer.status === 200) return decode(value);
    throw new RemoteProblemError(path, answer.status, value);
  }

  #call<T>(
    method: HttpRequest['method'],
    path: string,
    decode: (value: unknown) => T,
    json?: object,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const body = json === undefined ? '' : JSON.stringify(json);
    const { transport, url } = this.#options;
    const request = { method, url: `${url}${path}`, timeoutMs: CALL_TIMEOUT_MS };
    const send = (): Promise<T> => {
      const signed = { ...headers, ...this.#signature(method, path, body) };
      const sent = json === undefined ? {} : { json };
      return requestJson(transport, { ...request, headers: signed, ...sent }, decode);
    };
    return send().catch((error: unknown) => {
      // Signed anew: who saw the first one would take the same bytes for a replay.
      if (error instanceof HttpTransportError && isRepeatable({ method, headers })) return send();
      throw error;
    });
  }

  #signed(method: HttpRequest['method'], path: string, body: string) {
    const { transport, url } = this.#options;
    const headers = this.#signature(method, path, body);
    return transport.request({ method, url: `${url}${path}`, headers, timeoutMs: CALL_TIMEOUT_MS });
  }

  #signature(
    method: string,
    pathWithQuery: string,
    body: string | Uint8Array,
  ): Record<string, string> {
    const { clock, keyId, secret } = this.#options;
    const timestamp = String(Math.floor(clock.nowMs() / 1000));
    const nonce = randomBytes(18).toString('base64url');
    const signature = signRequest(secret, { method, pathWithQuery, body, timestamp, nonce });
    return {
      authorization: authorizationHeader(keyId, signature),
      [TIMESTAMP_HEADER]: timestamp,
      [NONCE_HEADER]: nonce,
    };
  }
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
