import type {
  Changes,
  ConsoleKind,
  OperationRequest,
  OperationResult,
  VmAssignment,
  VmId,
  VmReport,
} from '@factory/contracts';
import {
  type ByteChannel,
  channelPair,
  createHttpApp,
  createWebSocketDialer,
  silentLogger,
  systemClock,
} from '@factory/runtime';
import { Consoles } from '@factory/vm-executor';

/**
 * A vm-scheduler and the one executor behind it: its guests are on as soon as they are given, and
 * the test has the guests' ends of their consoles.
 */
export class FakeCluster {
  readonly app: ReturnType<typeof createHttpApp>;
  readonly consoles: Consoles;
  /** Guests' ends, in the order in which they were opened. */
  readonly guests: { readonly kind: ConsoleKind; readonly channel: ByteChannel }[] = [];
  /** What opening a console throws. */
  failure: Error | undefined;
  /** Requests are not heard by the executor. */
  isDeaf = false;
  #revision = 0;
  readonly #reports = new Map<VmId, VmReport>();
  readonly #results: { readonly revision: number; readonly result: OperationResult }[] = [];
  #wake: () => void = () => undefined;

  constructor() {
    this.consoles = new Consoles({
      clock: systemClock,
      logger: silentLogger,
      dialer: createWebSocketDialer(systemClock),
      port: {
        open: async (_vmId, kind) => {
          if (this.failure !== undefined) throw this.failure;
          const [guest, channel] = channelPair();
          this.guests.push({ kind, channel: guest });
          return channel;
        },
      },
    });
    this.app = createHttpApp({ service: 'fake', clock: systemClock, logger: silentLogger });
    this.app.put<{ Body: { vms: VmAssignment[] } }>('/v1/vms', async ({ body }) => {
      for (const vm of body.vms) this.#reports.set(vm.vmId, this.#running(vm));
      this.#wake();
      return {};
    });
    this.app.post<{ Body: { operations: OperationRequest[] } }>(
      '/v1/operations',
      async ({ body }) => {
        for (const request of body.operations) void this.#operate(request);
        return {};
      },
    );
    this.app.post<{ Body: { after: number; waitMs: number } }>('/v1/changes', ({ body }) =>
      this.#changes(body.after, body.waitMs),
    );
  }

  async #operate(request: OperationRequest): Promise<void> {
    if (request.kind !== 'console' || this.isDeaf) return;
    const { operationId, vmId } = request;
    const result = await this.consoles.open(request).then(
      () => ({ outcome: 'succeeded' as const, message: '' }),
      (error: Error) => ({ outcome: 'failed' as const, message: error.message }),
    );
    this.#revision += 1;
    this.#results.push({
      revision: this.#revision,
      result: { operationId, vmId, output: '', ...result },
    });
    this.#wake();
  }

  async #changes(after: number, waitMs: number): Promise<Changes> {
    if (this.#revision <= after) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = systemClock.after(waitMs, resolve);
      this.#wake = resolve;
      await promise;
      timer.cancel();
    }
    const vms = [...this.#reports.values()].filter(({ revision }) => revision > after);
    const results = this.#results.filter(({ revision }) => revision > after);
    return { revision: this.#revision, vms, operations: results.map(({ result }) => result) };
  }

  #running({ vmId, assignmentEpoch, generation }: VmAssignment): VmReport {
    this.#revision += 1;
    return {
      ...{ vmId, assignmentEpoch, generation, revision: this.#revision },
      ...{ state: 'running', stateSinceMs: 0, guestReady: true, hostName: 'host-1' },
      ...{ reason: null, message: null, timeline: {} },
    };
  }
}
