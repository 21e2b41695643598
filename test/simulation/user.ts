import {
  type Batch,
  type BatchChange,
  type BatchId,
  type BatchRequest,
  BatchSchema,
  type Operation,
  OperationSchema,
  type ProjectId,
  type Shape,
  type Vm,
  type VmChange,
  type VmId,
  VmSchema,
} from '@factory/contracts';
import {
  type Clock,
  createBackoff,
  type HttpTransport,
  HttpTransportError,
  type JsonRequest,
  type Random,
  requestJson,
  sleep,
  waitFor,
} from '@factory/runtime';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { adminHeaders } from '../support/principal.ts';

const CALL_TIMEOUT_MS = 5_000;
const ATTEMPTS_MAX = 20;
const OPERATION_TIMEOUT_MS = 180_000;
const PAGE_LIMIT = 500;

const operationAnswer = Compile(OperationSchema);
const asOperation = (value: unknown): Operation => operationAnswer.Parse(value);
const batchAnswer = Compile(BatchSchema);
const asBatch = (value: unknown): Batch => batchAnswer.Parse(value);
const vmAnswer = Compile(VmSchema);
const asVm = (value: unknown): Vm => vmAnswer.Parse(value);
const asAnything = (): void => undefined;
const PageSchema = Type.Object({
  items: Type.Array(VmSchema),
  nextCursor: Type.Union([Type.String(), Type.Null()]),
});
const page = Compile(PageSchema);
const asPage = (value: unknown): Static<typeof PageSchema> => page.Parse(value);
const ClustersSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      capacity: Type.Union([Type.Null(), Type.Object({ activeHosts: Type.Integer() })]),
    }),
  ),
});
const clusters = Compile(ClustersSchema);
const asClusters = (value: unknown): Static<typeof ClustersSchema> => clusters.Parse(value);

export interface UserOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: HttpTransport;
  readonly url: string;
  readonly projectId: ProjectId;
  readonly internalToken: string;
}

/** The project's user, in the place of the gateway: asks again until there is an answer. */
export class User {
  readonly #options: UserOptions;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: UserOptions) {
    this.#options = options;
    this.#headers = adminHeaders(options.projectId, options.internalToken);
  }

  createBatch(request: BatchRequest): Promise<Batch> {
    const key = { 'idempotency-key': `simulation-${request.name}` };
    return this.#call(asBatch, 'POST', '/v1/batches', { json: request, headers: key });
  }

  batch(id: BatchId): Promise<Batch> {
    return this.#call(asBatch, 'GET', `/v1/batches/${id}`);
  }

  async deleteBatch(id: BatchId): Promise<void> {
    await this.#call(asBatch, 'DELETE', `/v1/batches/${id}`);
  }

  changeBatch(id: BatchId, change: BatchChange): Promise<Batch> {
    return this.#call(asBatch, 'PATCH', `/v1/batches/${id}`, { json: change });
  }

  /** Makes a subnet with egress. */
  async createSubnet(name: string, cidr: string): Promise<void> {
    const json = { name, cidr, egress: 'nat' };
    await this.#call(asAnything, 'POST', '/v1/subnets', { json });
  }

  changeVm(vmId: VmId, change: VmChange): Promise<Vm> {
    return this.#call(asVm, 'PATCH', `/v1/vms/${vmId}`, { json: change });
  }

  async wish(vmId: VmId, wish: 'start' | 'stop'): Promise<void> {
    await this.#call(asAnything, 'POST', `/v1/vms/${vmId}:${wish}`);
  }

  /** Gives a stopped VM another size; resolves with what it is when its host has done what it can. */
  async resize(vmId: VmId, size: Shape): Promise<Vm> {
    const { generation } = await this.#call(asVm, 'POST', `/v1/vms/${vmId}:resize`, { json: size });
    return waitFor(this.#options.clock, 'the resize', OPERATION_TIMEOUT_MS, async () => {
      const vm = await this.#call(asVm, 'GET', `/v1/vms/${vmId}`);
      return vm.appliedGeneration >= generation ? vm : undefined;
    });
  }

  /** Wants an image on all hosts; resolves when that is wished. */
  async stage(name: string): Promise<void> {
    await this.#call(asAnything, 'POST', `/v1/images/${name}:stage`, { json: {} });
  }

  /** Asks for a one-shot operation, once; resolves when it has been done, or has failed. */
  async operate(vmId: VmId, kind: 'reboot' | 'makeImage', params?: object): Promise<Operation> {
    const { id } = await this.#call(asOperation, 'POST', `/v1/vms/${vmId}:${kind}`, {
      headers: { 'idempotency-key': `${kind}-${vmId}` },
      ...(params === undefined ? {} : { json: params }),
    });
    return waitFor(this.#options.clock, kind, OPERATION_TIMEOUT_MS, async () => {
      const operation = await this.#call(asOperation, 'GET', `/v1/operations/${id}`);
      return operation.finishedAt === null ? undefined : operation;
    });
  }

  async vms(filter: { readonly batchId: BatchId; readonly withDeleted?: boolean }) {
    const query = `limit=${PAGE_LIMIT}&batchId=${filter.batchId}`;
    const deleted = filter.withDeleted === true ? '&withDeleted=true' : '';
    const vms: Vm[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const url = `/v1/vms?${query}${deleted}${from}`;
      const { items, nextCursor } = await this.#call(asPage, 'GET', url);
      vms.push(...items);
      cursor = nextCursor;
    }
    return vms;
  }

  /** Hosts of all clusters that can take machines. */
  async hostsReady(): Promise<number> {
    const { items } = await this.#call(asClusters, 'GET', '/v1/clusters');
    return items.reduce((sum, { capacity }) => sum + (capacity?.activeHosts ?? 0), 0);
  }

  async #call<T>(
    decode: (value: unknown) => T,
    method: JsonRequest['method'],
    path: string,
    more: Pick<JsonRequest, 'json' | 'headers'> = {},
  ): Promise<T> {
    const { clock, random, transport, url } = this.#options;
    const backoff = createBackoff({ baseMs: 50, maxMs: 1_000, random });
    for (let attempt = 1; ; attempt += 1) {
      const headers = { ...this.#headers, ...more.headers };
      const request = {
        ...more,
        headers,
        method,
        url: `${url}${path}`,
        timeoutMs: CALL_TIMEOUT_MS,
      };
      try {
        return await requestJson(transport, request, decode);
      } catch (error) {
        if (!(error instanceof HttpTransportError) || attempt === ATTEMPTS_MAX) throw error;
        await sleep(clock, backoff.nextMs());
      }
    }
  }
}
